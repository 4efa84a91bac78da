"""What a codec's copies are worth to ears: words and voices beside the originals', and what its codebooks are used for.

Every figure has its control: words that the recogniser gets wrong in the originals too, how alike one speaker sounds in
two utterances, and two speakers in theirs. Knows no way to train.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from personaplex.codec.nano import NanoCodec
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from personaplex.train.spectral import SpectralLoss

if TYPE_CHECKING:
    from personaplex.speech.similarity import SpeakerEncoder

_CHANNELS = (("agent", "SPEAKER_MAIN"), ("user", "SPEAKER_USER"))
_PAUSE = 1.0  # seconds between words that part two utterances
_MARGIN = 0.2  # seconds kept on both sides of one
_ENCODER = "resemblyzer"
_LEAST = 1.5  # seconds of an utterance by which a voice can be told


@dataclass(frozen=True)
class Utterance:
    """A stretch of one channel of a dialogue, and its copy.

    Attributes:
        speaker: who speaks, by the corpus's name, or by the dialogue where it has none.
        dialogue: index of it, so that controls can be of the same or of another.
        text: its words, lower case.
        original: float32 mono `[n]` at 24 kHz.
        copy: the same after the codec, its delay taken away.
        codes: int64 `[K, T]`.
    """

    speaker: str
    dialogue: int
    text: str
    original: np.ndarray
    copy: np.ndarray
    codes: np.ndarray


def listen(codec: NanoCodec, corpus: Path, count: int = 40) -> dict[str, Any]:
    """Measure a codec by its copies of a corpus.

    Args:
        codec: in evaluation mode.
        corpus: a folder with `data.jsonl`.
        count: utterances of each channel, as many of each dialogue as of the others.

    Returns:
        For `agent` and `user`: `utterances`; `wer` of the `original` and the `copy`; `similarity` of a `copy` with its
        original (0 where nobody can be heard in it), of two originals of the `same_speaker` and of `other_speakers`
        (None without such); `pitch` as median `semitones` between copy and original (None where they never have a voice
        at once) and the share of points where both or neither are `voiced`; `log_mel_db`. For `codebooks`: `used`
        entries and `perplexity` of each, over frames of speech, out of `card`. And what listened, `asr` and `speaker`.

    Raises:
        UserError: when the corpus has no manifest or too few utterances, or an engine that listens is absent.
    """
    if count < 2:
        raise UserError("At least 2 utterances are needed to compare voices.")
    heard = {who: _utterances(codec, corpus, channel, count) for channel, (who, _) in enumerate(_CHANNELS)}
    codes = np.concatenate([utterance.codes for utterances in heard.values() for utterance in utterances], axis=1)
    return {
        **{who: _measure(utterances) for who, utterances in heard.items()},
        "codebooks": {"card": codec.card, **_use(codes, codec.card)},
        "asr": "pocketsphinx, restricted to the words and word pairs of each channel's utterances",
        "speaker": _ENCODER,
    }


def table(figures: dict[str, Any]) -> str:
    """What `listen` found, as lines to read."""
    heads = f"{'':8}{'utterances':>11}{'WER':>8}{'of copy':>9}{'similarity':>12}{'same':>7}{'others':>8}"
    lines = [f"{heads}{'pitch':>8}{'voiced':>8}{'log-mel':>10}"]
    for who, _ in _CHANNELS:
        part = figures[who]
        wer, alike, pitch = part["wer"], part["similarity"], part["pitch"]
        off = "-" if pitch["semitones"] is None else f"{pitch['semitones']:.1f} st"
        lines.append(
            f"{who:8}{part['utterances']:11}{wer['original']:8.1%}{wer['copy']:9.1%}{_cosine(alike['copy']):>12}"
            f"{_cosine(alike['same_speaker']):>7}{_cosine(alike['other_speakers']):>8}"
            f"{off:>8}{pitch['voiced']:8.1%}{part['log_mel_db']:7.2f} dB"
        )
    books = figures["codebooks"]
    lines.append(f"entries used, of {books['card']}: " + ", ".join(str(used) for used in books["used"]))
    lines.append("perplexity: " + ", ".join(f"{value:.0f}" for value in books["perplexity"]))
    return "\n".join([*lines, f"heard by {figures['asr']}; voices by {figures['speaker']}"])


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _utterances(codec: NanoCodec, corpus: Path, channel: int, count: int) -> list[Utterance]:
    from personaplex.audio import read_pcm16  # audio libraries live there

    manifest = corpus / "data.jsonl"
    if not manifest.exists():
        raise UserError(f"{corpus} holds no data.jsonl; make a corpus with: personaplex synth --out {corpus}")
    paths = [corpus / json.loads(line)["path"] for line in manifest.read_text().splitlines()]
    found: list[Utterance] = []
    for index, path in enumerate(paths):
        # This dialogue's share of what is still to come, so that a short one is made up for by those after it.
        share = -(-(count - len(found)) // (len(paths) - index))
        if share == 0:
            break
        meta = json.loads(path.with_suffix(".json").read_text())
        spans = _spans(meta["alignments"], _CHANNELS[channel][1])[:share]
        if not spans:
            continue
        pcm = read_pcm16(path)[:, channel].astype(np.float32) / 32768
        copy, codes = copied(codec, pcm)
        speaker = str(meta.get(("voice", "user_voice")[channel], path))
        for text, start, end in spans:
            sound = slice(max(0, round((start - _MARGIN) * SAMPLE_RATE)), round((end + _MARGIN) * SAMPLE_RATE))
            frames = slice(int(start / FRAME_SECONDS), int(end / FRAME_SECONDS) + 1)
            found.append(Utterance(speaker, index, text, pcm[: len(copy)][sound], copy[sound], codes[:, frames]))
    if len({utterance.speaker for utterance in found}) < 2:
        raise UserError(
            f"{corpus} has no two {_CHANNELS[channel][0]}s who say something of {_LEAST} s; give a larger one."
        )
    return found


@torch.inference_mode()
def copied(codec: NanoCodec, pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A codec's copy of float32 mono `[n]`, without its delay and so a little shorter, and the codes int64 `[K, T]`."""
    padded = np.pad(pcm, (0, -len(pcm) % FRAME_SAMPLES))
    codes = codec.encode(torch.from_numpy(padded)[None, None])
    copy = codec.decode(codes)[0, 0].numpy()
    return copy[codec.config.delay : len(pcm)], codes[0].numpy()


def _spans(alignments: Sequence[Any], name: str) -> list[tuple[str, float, float]]:
    """Utterances as text, start and end in seconds, of the speaker of that name."""
    spans: list[tuple[str, float, float]] = []
    for word, (start, end), who in sorted(alignments, key=lambda entry: entry[1][0]):
        if who != name:
            continue
        if spans and start - spans[-1][2] < _PAUSE:
            spans[-1] = (f"{spans[-1][0]} {word}", spans[-1][1], end)
        else:
            spans.append((word, start, end))
    return [span for span in spans if span[2] - span[1] >= _LEAST]


def _measure(utterances: list[Utterance]) -> dict[str, Any]:
    from personaplex.speech.asr import Pocketsphinx, word_error_rate
    from personaplex.speech.similarity import make_encoder

    encoder = make_encoder(_ENCODER)  # here, so that its absence is not taken for silence below
    texts = [utterance.text for utterance in utterances]
    asr = Pocketsphinx(texts)
    originals = [_voice(encoder, utterance.original) for utterance in utterances]
    copies = [_voice(encoder, utterance.copy) for utterance in utterances]
    heard = [index for index, voice in enumerate(originals) if voice.any()]

    def pairs(wanted: Callable[[Utterance, Utterance], bool]) -> float | None:
        """Mean similarity of the originals of all pairs of utterances that are wanted."""
        found = [
            float(np.dot(originals[one], originals[other]))
            for one, other in combinations(heard, 2)
            if wanted(utterances[one], utterances[other])
        ]
        return float(np.mean(found)) if found else None

    with torch.inference_mode():
        spectral = SpectralLoss()
        distances = [
            float(
                spectral(torch.from_numpy(each.copy)[None], torch.from_numpy(each.original[: len(each.copy)])[None])[0]
            )
            for each in utterances
        ]
    return {
        "utterances": len(utterances),
        "wer": {
            "original": word_error_rate(texts, [asr.text(utterance.original) for utterance in utterances]),
            "copy": word_error_rate(texts, [asr.text(utterance.copy) for utterance in utterances]),
        },
        "similarity": {
            "copy": float(np.mean([np.sum(originals[index] * copies[index]) for index in heard])) if heard else None,
            "same_speaker": pairs(lambda one, other: one.speaker == other.speaker),
            "other_speakers": pairs(lambda one, other: one.speaker != other.speaker),
        },
        "pitch": _melodies(utterances),
        "log_mel_db": 20 * float(np.mean(distances)),
    }


def _melodies(utterances: list[Utterance]) -> dict[str, float | None]:
    """How far the copies' pitch is from the originals'."""
    from personaplex.speech.pitch import track_pitch

    pairs = np.concatenate(
        [np.stack([track_pitch(each.original[: len(each.copy)]), track_pitch(each.copy)]) for each in utterances],
        axis=1,
    )
    one, other = pairs[:, (pairs > 0).all(axis=0)]
    return {
        "semitones": float(np.median(np.abs(12 * np.log2(other / one)))) if len(one) else None,
        "voiced": float(((pairs[0] > 0) == (pairs[1] > 0)).mean()),
    }


def _voice(encoder: SpeakerEncoder, pcm: np.ndarray) -> np.ndarray:
    """Unit vector of who speaks, or a zero where nobody can be heard: a copy without a voice is like none."""
    from personaplex.speech.tts import SpeechError

    try:
        return encoder.embed(pcm)
    except SpeechError:
        return np.zeros(1, np.float32)


def _use(codes: np.ndarray, card: int) -> dict[str, list]:
    """Entries used and perplexity of each codebook of `codes [K, T]`."""
    used, perplexity = [], []
    for book in codes:
        counts = np.bincount(book, minlength=card)
        share = counts[counts > 0] / counts.sum()
        used.append(len(share))
        perplexity.append(float(np.exp(-(share * np.log(share)).sum())))
    return {"used": used, "perplexity": perplexity}
