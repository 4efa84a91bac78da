"""The codec's training data: a corpus's sound in one memory-mapped array, cropped at random by step.

Beside it lie phone labels and, if wished, a speech encoder's features, so that no trainer ever runs one. `pack_sound`
reads the stereo files of a corpus (this is the only place of the room that needs an audio library); `SoundPack` needs
numpy alone.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, PITCH_SAMPLES, SAMPLE_RATE

LABEL_SAMPLES = FRAME_SAMPLES // 2  # one phone label for each 40 ms
UNLABELLED = 255
_POINTS = FRAME_SAMPLES // PITCH_SAMPLES
PHONES = "phones"  # the teacher that is always there: the synthesiser's labels


def pack_sound(corpus: Path, out: Path, hours: float | None = None, teacher: str = PHONES, pitch: bool = False) -> None:
    """Write sound as int16 `[N, 2]`, its phones as uint8 `[N / 960, 2]`, features as float16 `[N / 1920, 2, D]`.

    And its pitch, where wished, as float16 `[N / 480, 2]`: Hz, 0 where unvoiced.

    Args:
        corpus: a folder with `data.jsonl`.
        out: folder to write; replaced if it exists.
        hours: stop after so much.
        teacher: `phones`, or a speech encoder (of the hub, or a folder) whose features are stored too.
        pitch: track the voices' pitch too, for a codec that has a codebook of it.

    Raises:
        UserError: when the corpus has no manifest, or the teacher or the pitch tracker can not be had.
    """
    from tqdm import tqdm

    from personaplex.audio import read_pcm16  # audio libraries live there
    from personaplex.speech.pitch import track_pitch
    from personaplex.train.teacher import Teacher

    manifest = corpus / "data.jsonl"
    if not manifest.exists():
        raise UserError(f"{corpus} holds no data.jsonl; make a corpus with: personaplex synth --out {corpus}")
    items = [json.loads(line) for line in manifest.read_text().splitlines()]
    out.mkdir(parents=True, exist_ok=True)
    phones: dict[str, int] = {"sil": 0}
    lengths: list[int] = []
    encoder = None if teacher == PHONES else Teacher(teacher)
    limit = None if hours is None else int(hours * 3600 * SAMPLE_RATE)
    with ExitStack() as files:
        sound = files.enter_context((out / "sound.i16").open("wb"))
        labels = files.enter_context((out / "phones.u8").open("wb"))
        features = None if encoder is None else files.enter_context((out / "features.f16").open("wb"))
        pitches = files.enter_context((out / "pitch.f16").open("wb")) if pitch else None
        total = 0
        for item in tqdm(items, "sound", unit="dialogue"):
            if limit is not None and total >= limit:
                break
            path = corpus / item["path"]
            pcm = read_pcm16(path)  # int16 [n, 2]
            frames = len(pcm) // FRAME_SAMPLES
            pcm = pcm[: frames * FRAME_SAMPLES]
            meta = json.loads(path.with_suffix(".json").read_text())
            label = np.zeros((frames * 2, 2), dtype=np.uint8)
            for channel, who in enumerate(("agent", "user")):
                _paint(label[:, channel], meta, who, phones)
            sound.write(np.ascontiguousarray(pcm, dtype=np.int16).tobytes())
            labels.write(label.tobytes())
            if encoder is not None and features is not None:
                both = [encoder.features(pcm[:, channel]) for channel in (0, 1)]
                features.write(np.ascontiguousarray(np.stack(both, axis=1), dtype=np.float16).tobytes())
            if pitches is not None:
                both = [track_pitch(pcm[:, channel].astype(np.float32) / 32768) for channel in (0, 1)]
                pitches.write(np.ascontiguousarray(np.stack(both, axis=1), dtype=np.float16).tobytes())
            lengths.append(frames)
            total += len(pcm)
    index: dict[str, Any] = {"frames": lengths, "phones": list(phones), "pitch": pitch}
    if encoder is not None:
        index |= {"teacher": teacher, "width": encoder.width}
    (out / "index.json").write_text(json.dumps(index))


def _paint(label: np.ndarray, meta: dict, who: str, phones: dict[str, int]) -> None:
    """Label each 40 ms with the phone at its middle; speech without phone labels stays unlabelled."""
    seconds = LABEL_SAMPLES / SAMPLE_RATE
    speaker = "SPEAKER_MAIN" if who == "agent" else "SPEAKER_USER"
    for _, (start, end), name in meta["alignments"]:
        if name == speaker:
            label[int(start / seconds) : int(np.ceil(end / seconds))] = UNLABELLED
    for phone, start, end in meta.get("phones", {}).get(who, []):
        index = 0 if phone in ("pau", "sil", "h#") else phones.setdefault(phone, len(phones))
        label[round(start / seconds) : round(end / seconds)] = index


class Crops(NamedTuple):
    """What a step of the codec's trainer learns from.

    Attributes:
        sound: float32 `[B, frames * 1920]`.
        labels: phone labels int64 `[B, frames * 2]`, or the teacher's features float32 `[B, frames, width]`.
        pitch: Hz at every 480th sample, 0 where unvoiced, float32 `[B, frames * 4]`; None where it was not tracked.
    """

    sound: torch.Tensor
    labels: torch.Tensor
    pitch: torch.Tensor | None

    def to(self, device: str) -> Crops:
        """The same on a device."""
        pitch = None if self.pitch is None else self.pitch.to(device)
        return Crops(self.sound.to(device), self.labels.to(device), pitch)


class SoundPack:
    """Random crops of packed sound.

    Args:
        folder: what `pack_sound` wrote.
        teacher: what a batch holds beside the sound: `phones`, or the features of the speech encoder of this name.

    Raises:
        UserError: when there is no packed sound, or none with features of the teacher.
    """

    def __init__(self, folder: Path, teacher: str = PHONES):
        if not (folder / "index.json").exists():
            raise UserError(f"{folder} holds no packed sound; make it with: personaplex train sound --corpus DIR")
        index = json.loads((folder / "index.json").read_text())
        if teacher not in (PHONES, index.get("teacher")):
            raise UserError(f"{folder} holds no features of {teacher}; pack it with: train sound --teacher {teacher}")
        self.teacher = teacher
        self.phones: list[str] = index["phones"]
        self.width: int = index.get("width", 0)  # of the features
        self.frames = int(sum(index["frames"]))
        self._sound = np.memmap(folder / "sound.i16", dtype=np.int16, mode="r").reshape(-1, 2)
        self._labels = np.memmap(folder / "phones.u8", dtype=np.uint8, mode="r").reshape(-1, 2)
        self._features: np.ndarray | None = None
        if teacher != PHONES:
            features = np.memmap(folder / "features.f16", dtype=np.float16, mode="r")
            self._features = features.reshape(-1, 2, self.width)
        self._pitch: np.ndarray | None = None
        if index.get("pitch"):
            self._pitch = np.memmap(folder / "pitch.f16", dtype=np.float16, mode="r").reshape(-1, 2)
        self._speech = [np.flatnonzero(self._labels[::2, channel] != 0) for channel in (0, 1)]

    def batch(self, seed: int, step: int, size: int, frames: int) -> Crops:
        """Crops for one step, the same for the same seed and step.

        Nine in ten crops hold speech. Half are the agent's; the user's come at many levels already, the agent's are
        varied by ±6 dB here.
        """
        random = np.random.default_rng((seed, step))
        sound = np.empty((size, frames * FRAME_SAMPLES), dtype=np.float32)
        if self._features is None:
            labels = np.empty((size, frames * 2), dtype=np.int64)
        else:
            labels = np.empty((size, frames, self.width), dtype=np.float32)
        pitch = None if self._pitch is None else np.empty((size, frames * _POINTS), dtype=np.float32)
        for row in range(size):
            channel = int(random.integers(2))
            if random.random() < 0.9:
                centre = int(self._speech[channel][random.integers(len(self._speech[channel]))])
                start = centre - int(random.integers(frames))
            else:
                start = int(random.integers(self.frames))
            start = min(max(start, 0), self.frames - frames)
            piece = self._sound[start * FRAME_SAMPLES : (start + frames) * FRAME_SAMPLES, channel]
            gain = 10 ** (random.uniform(-6, 6) / 20) if channel == 0 else 1.0
            sound[row] = np.clip(piece.astype(np.float32) / 32768 * gain, -1, 1)
            if self._features is None:
                labels[row] = self._labels[2 * start : 2 * (start + frames), channel]
            else:
                labels[row] = self._features[start : start + frames, channel]
            if self._pitch is not None and pitch is not None:
                pitch[row] = self._pitch[_POINTS * start : _POINTS * (start + frames), channel]
        return Crops(
            torch.from_numpy(sound), torch.from_numpy(labels), None if pitch is None else torch.from_numpy(pitch)
        )

    def pitches(self, most: int, seed: int = 0) -> torch.Tensor:
        """Frames with a voice, their pitch in Hz as float32 `[N, 4]`, N up to `most`, drawn at random.

        Raises:
            UserError: when no pitch was tracked.
        """
        if self._pitch is None:
            raise UserError("This sound was packed without its pitch; pack it with: train sound --pitch")
        frames = self._pitch.reshape(-1, _POINTS, 2).transpose(2, 0, 1).reshape(-1, _POINTS)
        voiced = np.flatnonzero((frames > 0).any(axis=1))
        if not len(voiced):
            raise UserError("No voice was found in the packed sound, so there is no pitch to learn.")
        chosen = np.random.default_rng(seed).permutation(voiced)[:most]
        return torch.from_numpy(frames[np.sort(chosen)].astype(np.float32))
