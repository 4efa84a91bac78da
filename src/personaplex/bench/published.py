"""What other systems' authors published for the same benchmarks, with where it stands and what heard and judged it.

Figures to stand beside ours, under the same names of tasks and metrics. They were made on the benchmarks' own data by
the ears named here: whoever used other data or other ears has other figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Figures = Mapping[str, Mapping[str, float]]  # task → metric → value

PERSONAPLEX_PAPER = "PersonaPlex paper, arXiv 2602.06053"
PERSONAPLEX_CARD = "model card of nvidia/personaplex-7b-v1"
SECOND_HAND = "a published comparison whose first source is not recorded here"
DUPLEX_PAPER = "Full-Duplex-Bench paper, arXiv 2503.04721"


@dataclass(frozen=True)
class Published:
    """One system's row.

    Attributes:
        system: its name.
        source: where the figures stand.
        figures: task → metric → value; what was not published is absent.
    """

    system: str
    source: str
    figures: Figures


@dataclass(frozen=True)
class Table:
    """What was published for one benchmark.

    Attributes:
        data: what the systems were measured on.
        ears: what heard and judged them.
        rows: the systems.
    """

    data: str
    ears: str
    rows: tuple[Published, ...]


_DUPLEX_METRICS = (
    ("synthetic_pause_handling", "tor"),
    ("candor_pause_handling", "tor"),
    ("icc_backchannel", "tor"),
    ("icc_backchannel", "frequency_hz"),
    ("icc_backchannel", "jsd"),
    ("candor_turn_taking", "tor"),
    ("candor_turn_taking", "latency_s"),
    ("synthetic_user_interruption", "tor"),
    ("synthetic_user_interruption", "score"),
    ("synthetic_user_interruption", "latency_s"),
)
_SERVICE_METRICS = (*((f"Q{number}", "score") for number in range(7)), ("all", "mean"))


def _row(system: str, source: str, metrics: Iterable[tuple[str, str]], values: Iterable[float | None]) -> Published:
    figures: dict[str, dict[str, float]] = {}
    for (task, metric), value in zip(metrics, values, strict=True):
        if value is not None:
            figures.setdefault(task, {})[metric] = value
    return Published(system, source, figures)


_DUPLEX_ROWS = (
    ("PersonaPlex", PERSONAPLEX_PAPER, (0.584, 0.662, 0.327, 0.025, 0.649, 0.992, 0.070, 1.000, 4.21, 0.400)),
    ("personaplex-7b-v1", PERSONAPLEX_CARD, (0.358, 0.431, 0.273, 0.042, 0.662, 0.908, 0.170, 0.950, 4.29, 0.240)),
    (
        "personaplex-rl-seamless",
        "model card of kyutai/personaplex-rl-seamless, by a harness of its own",
        (0.350, None, None, 0.112, None, None, 0.086, None, None, 0.223),
    ),
    ("Moshi", DUPLEX_PAPER, (0.985, 0.980, 1.000, 0.001, 0.957, 0.941, 0.265, 1.000, 0.765, 0.257)),
    ("Freeze-Omni", DUPLEX_PAPER, (0.642, 0.481, 0.636, 0.001, 0.997, 0.336, 0.953, 0.867, 3.615, 1.409)),
    ("Gemini Live", DUPLEX_PAPER, (0.255, 0.310, 0.091, 0.012, 0.896, 0.655, 1.301, 0.891, 3.376, 1.183)),
    (
        "GPT-Realtime",
        SECOND_HAND,
        (0.010, 0.120, 0.000, 0.007, 0.980, 1.000, 1.470, 0.970, 3.85, 1.500),
    ),
    (
        "MiniCPM-o 4.5 (9B)",
        SECOND_HAND,
        (0.182, None, None, None, None, 0.891, None, None, 3.41, None),
    ),
    (
        "Raon-SpeechChat-9B",
        SECOND_HAND,
        (0.212, None, 0.091, None, None, 0.832, None, 0.980, 2.79, None),
    ),
)
_SERVICE_ROWS = (
    ("Gemini", (4.6, 4.7, 4.8, 4.9, 4.5, 4.7, 4.9, 4.73)),
    ("PersonaPlex", (4.6, 4.6, 4.4, 4.5, 4.5, 4.3, 4.5, 4.48)),
    ("Freeze-Omni", (3.9, 3.5, 3.8, 4.3, 4.1, 4.2, 4.3, 4.02)),
    ("Qwen2.5-Omni", (1.3, 1.6, 2.6, 3.4, 3.3, 3.6, 3.5, 2.76)),
    ("Moshi", (1.5, 1.4, 1.8, 2.0, 1.9, 2.1, 1.6, 1.75)),
)
_VOICE_ROWS = (
    ("PersonaPlex", PERSONAPLEX_PAPER, 0.57),
    ("personaplex-7b-v1", PERSONAPLEX_CARD, 0.650),
    ("Moshi", PERSONAPLEX_PAPER, 0.10),
    ("Qwen2.5-Omni", PERSONAPLEX_PAPER, 0.07),
    ("Gemini", PERSONAPLEX_PAPER, 0.0),
)

PUBLISHED: Mapping[str, Table] = {
    "duplex": Table(
        "Full-Duplex-Bench v1 (727 recordings)",
        "ASR parakeet-tdt-0.6b-v2, official VAD reading, an LLM as judge",
        tuple(_row(system, source, _DUPLEX_METRICS, values) for system, source, values in _DUPLEX_ROWS),
    ),
    "service": Table(
        "Service-Duplex-Bench (350 questions, not released; ours is a rebuilt one)",
        "an LLM as judge, 0 to 5",
        tuple(_row(system, PERSONAPLEX_PAPER, _SERVICE_METRICS, values) for system, values in _SERVICE_ROWS),
    ),
    "voice": Table(
        "voice prompts of Full-Duplex-Bench and Service-Duplex-Bench",
        "speaker encoder WavLM-TDNN",
        tuple(_row(system, source, [("voice", "similarity")], [value]) for system, source, value in _VOICE_ROWS),
    ),
}
"""Benchmark → what was published for it."""
