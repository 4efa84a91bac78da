"""A corpus of stereo dialogues → codes, in a few files that the language model's trainer reads with numpy alone."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from personaplex.codec.base import Codec
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE

SINE_HERTZ = 440.0
_SETTLE = 10  # frames after which a codec's codes of a steady sound are taken


@torch.inference_mode()
def steady_codes(codec: Codec, sound: str) -> torch.Tensor:
    """The one frame of codes, int64 `[K]`, that stands for "silence" or for a 440 Hz "sine" in the hybrid prompt."""
    samples = torch.arange((_SETTLE + 1) * FRAME_SAMPLES)
    if sound == "silence":
        pcm = torch.zeros(len(samples))
    else:
        pcm = 0.5 * torch.sin(samples * (2 * math.pi * SINE_HERTZ / SAMPLE_RATE))
    device = next(codec.parameters()).device
    return codec.encode(pcm.to(device)[None, None])[0, :, _SETTLE].cpu()


@torch.inference_mode()
def encode_sounds(codec: Codec, sounds: list[np.ndarray]) -> list[np.ndarray]:
    """Encode mono int16 sounds together; each comes back as int16 codes `[K, whole frames]`."""
    frames = [len(sound) // FRAME_SAMPLES for sound in sounds]
    batch = torch.zeros(len(sounds), 1, max(frames) * FRAME_SAMPLES)
    for row, sound in enumerate(sounds):
        length = frames[row] * FRAME_SAMPLES
        batch[row, 0, :length] = torch.from_numpy(sound[:length].astype(np.float32) / 32768)
    if not batch.any():  # all silence is alike, and one of users alone has a channel of it
        batch = batch[:1]
    codes = codec.encode(batch.to(next(codec.parameters()).device)).cpu().numpy().astype(np.int16)
    return [codes[row % len(codes), :, :count] for row, count in enumerate(frames)]


def encode_corpus(corpus: Path, codec: Codec, out: Path, hours: float | None = None, batch: int = 2) -> None:
    """Encode every dialogue and voice sample of a corpus.

    Writes `codes.i16` (`[N, 2 * K]`, agent then user), `voices.i16` (`[M, K]`) and `index.json`.

    Args:
        corpus: a folder with `data.jsonl`.
        codec: a trained codec.
        out: folder to write.
        hours: stop after so much dialogue.
        batch: dialogues encoded together; more than a few only leave a CPU's caches.

    Raises:
        UserError: when the corpus has no manifest, or its dialogues no role or voice sample.
    """
    from personaplex.audio import read_pcm16  # audio libraries live there

    manifest = corpus / "data.jsonl"
    if not manifest.exists():
        raise UserError(f"{corpus} holds no data.jsonl; make a corpus with: personaplex synth --out {corpus}")
    items = [json.loads(line) for line in manifest.read_text().splitlines()]
    if hours is not None:
        ends = np.cumsum([item["duration"] for item in items])
        items = items[: int(np.searchsorted(ends, hours * 3600)) + 1]
    items.sort(key=lambda item: item["duration"])  # like lengths together: less padding
    out.mkdir(parents=True, exist_ok=True)
    dialogues: list[dict[str, Any]] = []
    voices: dict[str, list[int]] = {}
    offset = 0
    with (out / "codes.i16.partial").open("wb") as file:
        for group in _groups(items, batch):
            metas = [_meta(corpus, item["path"]) for item in group]
            sounds = [read_pcm16(corpus / item["path"]) for item in group]
            agent = encode_sounds(codec, [np.ascontiguousarray(sound[:, 0]) for sound in sounds])
            user = encode_sounds(codec, [np.ascontiguousarray(sound[:, 1]) for sound in sounds])
            for meta, mine, theirs in zip(metas, agent, user, strict=True):
                file.write(np.ascontiguousarray(np.concatenate([mine, theirs]).T).tobytes())
                voices.setdefault(meta["voice_prompt"], [])
                dialogues.append(_entry(meta, offset, mine.shape[1]))
                offset += mine.shape[1]
    with (out / "voices.i16").open("wb") as file:
        start = 0
        for group in _groups(sorted(voices), batch):
            sounds = [read_pcm16(corpus / name)[:, 0] for name in group]
            for name, codes in zip(group, encode_sounds(codec, sounds), strict=True):
                file.write(np.ascontiguousarray(codes.T).tobytes())
                voices[name] = [start, codes.shape[1]]
                start += codes.shape[1]
    os.replace(out / "codes.i16.partial", out / "codes.i16")
    index = {
        "codebooks": codec.codebooks,
        "card": codec.card,
        "silence": steady_codes(codec, "silence").tolist(),
        "sine": steady_codes(codec, "sine").tolist(),
        "voices": voices,
        "dialogues": dialogues,
    }
    (out / "index.json").write_text(json.dumps(index))


def _meta(corpus: Path, name: str) -> dict[str, Any]:
    path = (corpus / name).with_suffix(".json")
    meta: dict[str, Any] = json.loads(path.read_text())
    if "voice_prompt" not in meta or "role" not in meta:
        raise UserError(
            f"{path} names no role or no voice sample; import a corpus of another's making first: "
            f"personaplex synth --from {corpus} --out DIR"
        )
    return meta


def _entry(meta: dict[str, Any], start: int, frames: int) -> dict[str, Any]:
    words: dict[str, list[tuple[str, float, float]]] = {"SPEAKER_MAIN": [], "SPEAKER_USER": []}
    for word, (begin, end), who in meta["alignments"]:
        words[who].append((word, begin, end))
    return {
        "start": start,
        "frames": frames,
        "role": meta["role"],
        "voice": meta["voice_prompt"],
        "agent": sorted(words["SPEAKER_MAIN"], key=lambda word: word[1]),
        "user": sorted(words["SPEAKER_USER"], key=lambda word: word[1]),
    }


def _groups(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    items = list(items)
    for start in range(0, len(items), size):
        yield items[start : start + size]
