"""Recorded speech in, a persona's speech, words and tokens out: files through the engine, as fast as it goes."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.audio import pad_to_frames, read_audio, write_wav
from personaplex.checkpoints.model import Model
from personaplex.engine import Conversation, Engine, Output
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS, Layout
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif")  # that are looked for in a folder
_CHARACTER_SECONDS = 0.07  # length of a spoken character where nothing else tells when a word ends


@dataclass(frozen=True)
class Reply:
    """What the agent said to one recording.

    Attributes:
        pcm: float32 `[n]` at 24 kHz, as long as the recording; frame t is in the place of the user's frame t.
        tokens: int64 `[S, T]`, the grid from the first live frame on.
        seed: of the conversation's random numbers.
    """

    pcm: np.ndarray
    tokens: np.ndarray
    seed: int


@dataclass(frozen=True)
class Job:
    """One recording and where what comes of it goes.

    Attributes:
        source: the user's recording.
        wav: the agent's sound, or None.
        text: the agent's words as JSON, or None.
        tokens: the grid as npz, or None.
    """

    source: Path
    wav: Path | None = None
    text: Path | None = None
    tokens: Path | None = None


def reply(
    engine: Engine,
    sounds: Sequence[np.ndarray] | Iterator[np.ndarray],
    persona: Persona | None | Sequence[Persona | None],
    sampling: Sampling,
    seed: int | None | Sequence[int] = None,
    progress: Callable[[int], Any] = lambda frames: None,
) -> Iterator[tuple[int, Reply]]:
    """Play recordings to a persona, as many at once as the engine has rows; each is a conversation of its own.

    Args:
        engine: an engine that nobody else uses meanwhile.
        sounds: float32 `[n]` at 24 kHz each; taken one by one when a row is free.
        persona: who the agent is; or a sequence of them, one for each recording, read when the recording was taken.
        sampling: how tokens are chosen.
        seed: of every conversation; None draws one for each; or a sequence, as with `persona`.
        progress: told how many frames were made.

    Yields:
        The recording's number and the reply, as they are finished.
    """
    waiting, talking = enumerate(sounds), list[_Talk]()
    more = True
    while more or talking:
        while more and engine.free:
            index, sound = next(waiting, (-1, np.zeros(0)))
            if more := index >= 0:
                who = persona[index] if isinstance(persona, Sequence) else persona
                luck = seed[index] if isinstance(seed, Sequence) else seed
                talking.append(_Talk(index, sound, engine.open(who, sampling, luck)))
        progress(engine.tick())
        for talk in list(talking):
            if talk.done():
                talking.remove(talk)
                yield talk.index, talk.finish(engine)


class _Talk:
    """A recording while it is played."""

    def __init__(self, index: int, sound: np.ndarray, conversation: Conversation):
        self.index, self.conversation = index, conversation
        self._length = len(sound)
        self._frames = -(-len(sound) // FRAME_SAMPLES)
        self._outputs: list[Output] = []
        # What a model with a large delay says about the last frames comes `late` frames after them.
        late = np.zeros(conversation.late * FRAME_SAMPLES, dtype=np.float32)
        conversation.push(np.concatenate([pad_to_frames(sound), late]))

    def done(self) -> bool:
        self._outputs += [output for output in self.conversation.pull() if output.index >= 0]
        return len(self._outputs) >= self._frames

    def finish(self, engine: Engine) -> Reply:
        self.conversation.close()
        if not self._outputs:
            empty = np.zeros((engine.layout.streams, 0), dtype=np.int64)
            return Reply(np.zeros(0, dtype=np.float32), empty, self.conversation.seed)
        pcm = np.concatenate([output.pcm for output in self._outputs])[: self._length]
        tokens = np.stack([output.tokens for output in self._outputs], axis=1)
        return Reply(pcm, tokens, self.conversation.seed)


def spoken_words(
    tokens: np.ndarray, tokenizer: Any, layout: Layout, lead: int = 0, seconds: float | None = None
) -> list[dict[str, Any]]:
    """The words of a text stream and when they are heard.

    A word starts `lead` frames after its first token. Nothing on the grid says when it ends: that is taken to be when
    its length in characters is spoken, after its last token's frame and before the next word.

    Args:
        tokens: int64 `[T]`.
        tokenizer: of the model (`text.Tokenizer`).
        layout: of the model.
        lead: frames by which a word's text precedes its sound.
        seconds: end of the recording, which no time exceeds; None for that of the last frame.

    Returns:
        Dictionaries of `text`, `start` and `end` in seconds, in order.
    """
    words = _written_words(tokens, tokenizer, layout)
    limit = len(tokens) * FRAME_SECONDS if seconds is None else seconds
    pieces = []
    for number, (text, first, last) in enumerate(words):
        start = (first + lead) * FRAME_SECONDS
        end = max(start + len(text) * _CHARACTER_SECONDS, (last + 1 + lead) * FRAME_SECONDS)
        if number + 1 < len(words):
            end = min(end, (words[number + 1][1] + lead) * FRAME_SECONDS)
        pieces.append({"text": text, "start": round(min(start, limit), 3), "end": round(min(end, limit), 3)})
    return pieces


def heard_words(tokens: np.ndarray, tokenizer: Any, layout: Layout, lag: int = 0) -> list[dict[str, Any]]:
    """The words of the stream of what was heard, and when the user said them.

    A word ends `lag` frames before its first token. Nothing on the grid says when it starts: that is taken to be its
    length in characters before its end, and not before the word before it ends.

    Args:
        tokens: int64 `[T]`.
        tokenizer: of the model (`text.Tokenizer`).
        layout: of the model.
        lag: frames by which a word is written after its end.

    Returns:
        Dictionaries of `text`, `start` and `end` in seconds, in order.
    """
    pieces: list[dict[str, Any]] = []
    free = 0.0
    for text, first, _ in _written_words(tokens, tokenizer, layout):
        end = max((first - lag) * FRAME_SECONDS, free)
        start = max(end - len(text) * _CHARACTER_SECONDS, free)
        pieces.append({"text": text, "start": round(start, 3), "end": round(end, 3)})
        free = end
    return pieces


def _written_words(tokens: np.ndarray, tokenizer: Any, layout: Layout) -> list[tuple[str, int, int]]:
    """The words of a text stream, each with the frames of its first and its last token."""
    groups: list[tuple[list[int], int, int]] = []
    for frame, token in enumerate(int(token) for token in tokens):
        if token in (layout.text_pad, layout.text_end_pad) or not 0 <= token < layout.text_card:
            continue
        if groups and not tokenizer.piece(token).startswith(" "):
            ids, first, _ = groups.pop()
            groups.append(([*ids, token], first, frame))
        else:
            groups.append(([token], frame, frame))
    words = [(tokenizer.decode(ids).strip(), first, last) for ids, first, last in groups]
    return [word for word in words if word[0]]


def transcript(
    made: Reply, model: Model, persona: Persona | None, sampling: Sampling, engine: Engine
) -> dict[str, Any]:
    """The JSON of one reply: `text`, `pieces`, `meta` and, where the model writes down the user's words, `heard`."""
    layout = model.lm.layout
    seconds = len(made.pcm) / FRAME_SAMPLES * FRAME_SECONDS
    stream = made.tokens[layout.text]
    voice = persona.voice if persona else None
    content = _spelled(spoken_words(stream, model.tokenizer, layout, model.text_lead, seconds))
    if layout.heard:
        stream = made.tokens[layout.heard_text][0]
        content["heard"] = _spelled(heard_words(stream, model.tokenizer, layout, model.heard_lag))
    return content | {
        "meta": {
            "model": {"name": model.name, "sha256": model.sha256},
            "seed": made.seed,
            "persona": {
                "role": persona.role if persona else None,
                "voice": voice.name if voice else None,
                "voice_sha256": voice.digest if voice else None,
            },
            "sampling": asdict(sampling),
            "capacity": engine.rows,
        },
    }


def _spelled(words: list[dict[str, Any]]) -> dict[str, Any]:
    return {"text": " ".join(word["text"] for word in words), "pieces": words}


def run(
    engine: Engine,
    model: Model,
    jobs: Sequence[Job],
    persona: Persona | None,
    sampling: Sampling,
    seed: int | None = None,
    progress: Callable[[int], Any] = lambda frames: None,
) -> None:
    """Play recorded files to a persona and write what it says beside them.

    Raises:
        UserError: when a file cannot be read or written; files finished before it stay.
    """
    layout = model.lm.layout
    for index, made in reply(engine, (read_audio(job.source) for job in jobs), persona, sampling, seed, progress):
        job = jobs[index]
        if job.wav is not None:
            write_wav(job.wav, made.pcm)
        if job.text is not None:
            content = transcript(made, model, persona, sampling, engine)
            _write(job.text, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
        if job.tokens is not None:
            archive, grid = io.BytesIO(), made.tokens
            streams = {"text": grid[layout.text], "agent": grid[layout.agent], "user": grid[layout.user]}
            if layout.heard:
                streams["heard"] = grid[layout.heard_text][0]
            np.savez_compressed(archive, **streams)
            _write(job.tokens, archive.getvalue())


def plan(inputs: Sequence[Path], wav: Path | None, text: Path | None = None, tokens: Path | None = None) -> list[Job]:
    """Pair inputs with outputs: one file with one file, several files or a folder with folders.

    In a folder the outputs are named after the inputs: `a.flac` gives `a.wav`, `a.json` and `a.npz`.

    Raises:
        UserError: when a folder holds no sound, two inputs would share an output, or an output would replace an input.
    """
    sources = [source for item in inputs for source in (_sounds_in(item) if item.is_dir() else [item])]
    outputs = {".wav": wav, ".json": text, ".npz": tokens}
    if len(inputs) == 1 and not inputs[0].is_dir():
        for suffix, output in outputs.items():
            if output is not None and output.is_dir():
                outputs[suffix] = output / (sources[0].stem + suffix)
        jobs = [Job(sources[0], outputs[".wav"], outputs[".json"], outputs[".npz"])]
    else:
        for output in outputs.values():
            if output is not None and (output.is_file() or output.suffix in (".wav", ".json", ".npz")):
                raise UserError(
                    f"With several inputs {output} must be a folder; the outputs are named after the inputs."
                )
        jobs = [
            Job(source, *(output and output / (source.stem + suffix) for suffix, output in outputs.items()))
            for source in sources
        ]
    _check_paths(jobs)
    return jobs


def _sounds_in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SOUND_SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"There is no sound file in {folder}; {', '.join(SOUND_SUFFIXES)} are looked for.")
    return found


def _check_paths(jobs: Sequence[Job]) -> None:
    read = {job.source.resolve() for job in jobs}
    written: set[Path] = set()
    for job in jobs:
        for output in (job.wav, job.text, job.tokens):
            if output is None:
                continue
            if output.resolve() in read:
                raise UserError(f"{output} is an input; write the agent's part somewhere else.")
            if output.resolve() in written:
                raise UserError(f"Two results would be written to {output}; give the inputs different names.")
            written.add(output.resolve())


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
