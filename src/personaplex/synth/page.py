"""A corpus's `index.html`: what it holds in figures, and a few of its dialogues to look at and listen to.

Everything that comes from data is text: the template escapes it, and the page's policy runs no script but its own. It
asks for nothing outside the corpus's folder.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from personaplex.synth.files import AGENT

_BARS = {
    "scenarios": "Conversations",
    "turns": "Kinds of turn",
    "voices": "Agents' voices",
    "user_engines": "Users' speech engines",
    "noises": "Noise on the user's channel",
    "lines": "The user's line",
    "writers": "Who found the words",
    "refusals": "Why a written script was not taken",
}
GAP_WIDTH, SNR_WIDTH = 0.1, 5.0  # of a histogram's bin: seconds, dB
_RULER = 5  # seconds between its marks
_SINCE = "seconds since the other's end, negative where both speak; the outermost hold all beyond"


def page(name: str, stats: Mapping[str, Any], checks: Sequence[Mapping[str, Any]]) -> str:
    """The page's text.

    Args:
        name: of the corpus.
        stats: as `summary` writes them.
        checks: records of the dialogues to look at, each with the `path` of its sound.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    script = _file("page.js")
    return environment.from_string(_file("page.html")).render(
        name=name,
        facts=_facts(stats),
        histograms=_histograms(stats),
        bars=[(title, _bars(stats[key])) for key, title in _BARS.items() if stats.get(key)],
        checks=[_check(check) for check in checks],
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup(_file("page.css")),
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _facts(stats: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All that is a plain value or a list of them, as it is."""
    plain = {key: value for key, value in stats.items() if not isinstance(value, Mapping)}
    return [
        (key.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for key, value in plain.items()
    ]


def _bars(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    most = max(counts.values())
    return [{"name": name, "count": count, "part": round(100 * count / most, 1)} for name, count in counts.items()]


def _histograms(stats: Mapping[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Title, what it shows, columns; none of those without a count."""
    gaps = stats.get("gaps", {})
    found = (
        ("Before the agent speaks", _SINCE, gaps.get("agent"), GAP_WIDTH),
        ("Before the user speaks", _SINCE, gaps.get("user"), GAP_WIDTH),
        ("Speech over noise", "dB on the user's channel", stats.get("snr_db"), SNR_WIDTH),
    )
    return [(title, unit, _columns(counts, width)) for title, unit, counts, width in found if counts]


def _columns(counts: Mapping[str, int], width: float) -> list[dict[str, Any]]:
    """A column a bin, from the first that is not empty to the last; every fifth is named."""
    bins = {round(float(edge) / width): count for edge, count in counts.items()}
    most = max(bins.values())
    return [
        {
            "edge": f"{at * width:g}",
            "end": f"{(at + 1) * width:g}",
            "named": at % 5 == 0 or width > 1,
            "count": bins.get(at, 0),
            "part": round(100 * bins.get(at, 0) / most, 1),
        }
        for at in range(min(bins), max(bins) + 1)
    ]


def _check(record: Mapping[str, Any]) -> dict[str, Any]:
    seconds = float(record["duration"])
    words = [
        {"text": text, "start": start, "end": end, **_place(start, end, seconds)}
        for text, (start, end), _ in record["alignments"]
    ]
    owners = [who for _, _, who in record["alignments"]]
    turns = [turn | _place(turn["start"], turn["end"], seconds) for turn in record["turns"]]
    lanes = [
        {
            "who": who,
            "words": [word for word, owner in zip(words, owners, strict=True) if (owner == AGENT) == (who == "agent")],
            "turns": [turn for turn in turns if turn["who"] == who],
        }
        for who in ("agent", "user")
    ]
    known = {"voice": record.get("voice"), "user": record.get("user_voice"), "source": record.get("source")}
    return {
        "path": record["path"],
        "title": record.get("scenario", "dialogue"),
        "seconds": seconds,
        "role": record["role"],
        "facts": [(key, value) for key, value in known.items() if value] + _conditions(record.get("channel") or {}),
        "lanes": lanes,
        "turns": turns,
        "ruler": [(mark, round(100 * mark / seconds, 3)) for mark in range(0, int(seconds) + 1, _RULER)],
    }


def _place(start: float, end: float, seconds: float) -> dict[str, float]:
    """Left edge and width on the timeline, in percent."""
    return {"left": round(100 * start / seconds, 3), "width": round(100 * (end - start) / seconds, 3)}


def _conditions(channel: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The user's channel in words."""
    if not channel:
        return []
    parts = [f"speech at {channel['level_db']} dBFS"]
    if channel["noise"]:
        parts.append(f"{channel['noise']} noise {channel['snr_db']} dB below")
    if channel["echo_db"] is not None:
        parts.append(f"echo at {channel['echo_db']} dB")
    parts += [said for key, said in (("room", "reverberation"), ("others", "people in the background")) if channel[key]]
    return [("channel", ", ".join([*parts, f"{channel['line']} line"]))]
