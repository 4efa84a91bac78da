"""The language model's training data: packed dialogues with their prompts, drawn by step number.

Needs numpy, torch and the tokenizer only. Knows the grid and the prompt, not the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from personaplex.errors import UserError
from personaplex.frames import FRAME_RATE, Layout
from personaplex.persona.prompt import prompt_frames
from personaplex.persona.role import wrap_role
from personaplex.text import Tokenizer, align_words
from personaplex.train.packed import Packed, read_packed
from personaplex.train.stumbles import Passage, answer_late, begin_wrongly
from personaplex.train.talks import TalkPack, read_talks, talks_of, telling


class Batch(NamedTuple):
    """Sequences on the grid.

    Attributes:
        frames: int64 `[B, S, T]`.
        text_loss: bool `[B, T]`, where the text is learnt.
        audio_loss: bool `[B, T]`, where the agent's sound is learnt: false in the prompt and in padding.
        speech: bool `[B, T]`, where the agent speaks.
        heard_loss: bool `[B, T]`, where the user's words are learnt, if the model has a stream for them.
        user_speech: bool `[B, T]`, where the user speaks.
        texts: examples without sound, of a length of their own; None where there are none.
        copied: bool `[B, T]`, where the agent's text is a piece that its role tells (see `telling`); None for nowhere.
        prompt: int64 `[B]`, frames of each prompt; None where there are none.
        begins: bool `[text_card]`, the word pieces that begin a word; None where nothing asks for them.
    """

    frames: torch.Tensor
    text_loss: torch.Tensor
    audio_loss: torch.Tensor
    speech: torch.Tensor
    heard_loss: torch.Tensor
    user_speech: torch.Tensor
    texts: Batch | None = None
    copied: torch.Tensor | None = None
    prompt: torch.Tensor | None = None
    begins: torch.Tensor | None = None


@dataclass(frozen=True)
class Drawing:
    """How examples are drawn.

    Attributes:
        length: frames of an example, prompt included.
        voice_frames: most frames of the voice sample; each example takes between a third of it and all.
        lead: frames by which a word's text precedes its sound.
        heard_lag: frames by which the user's words are written after their end.
        reading: share of examples in which the agent only reads its sentences out, to learn to speak what it writes.
        dictation: share of examples in which the users of some dialogues speak in a row and the agent is silent, to
            learn to hear: there are three times as many of the user's words in them as in a dialogue. Dialogues in
            which the agent says nothing to a user are always so drawn.
        middle: share of dialogues entered at some point after their start.
        text_only: share of examples that hold no sound, only a role and the words of a talk: they teach to find what is
            asked for in the role.
        text_length: frames of such an example; as many of them as fill `length` frames count as one.
        text_pace: frames a letter in such an example, of which each speaker has 0 to 1.3 times as many: people speak
            slower than words can be written, and a fact must be found at their pace too; 0 for as fast as can be.
        spoken_roles: write the figures of roles in words.
        share: share of the dialogues that are drawn from, whole ones; a smaller share is a part of a larger one.
        stumble: share of examples with mistakes of the agent's, which it must recover from.
        wrong: share, in those, of the places at which the agent could begin wrongly, at which it does.
        late: share, in those, of the answers that come late.
    """

    length: int = 448
    voice_frames: int = 38
    lead: int = 3
    heard_lag: int = 2
    reading: float = 0.2
    dictation: float = 0.0
    middle: float = 0.25
    text_only: float = 0.0
    text_length: int = 448
    text_pace: float = 1.0
    spoken_roles: bool = False
    share: float = 1.0
    stumble: float = 0.0
    wrong: float = 0.35
    late: float = 0.25


class DialoguePack:
    """Packed dialogues.

    Args:
        packed: dialogues and voices; a folder that `encode_corpus` wrote, or several that `read_packed` has read.
        tokenizer: the model's tokenizer.
        layout: the model's layout.
        drawing: how examples are drawn.
        scripts: a file of scripts for the examples without sound; None for the words of the dialogues themselves.

    Raises:
        UserError: when a folder holds no packed codes, or they are of another codec, or the scripts are no scripts, or
            the share leaves no dialogue, or more than all examples are to be reading or dictation.
    """

    def __init__(
        self, packed: Packed | Path, tokenizer: Tokenizer, layout: Layout, drawing: Drawing, scripts: Path | None = None
    ):
        packed = packed if isinstance(packed, Packed) else read_packed(packed)
        if (packed.codebooks, packed.card) != (layout.codebooks, layout.card):
            raise UserError(
                f"The codes are of {packed.codebooks} codebooks of {packed.card} entries, but the model has "
                f"{layout.codebooks} of {layout.card}; encode the corpus with the model's codec"
            )
        if drawing.reading + drawing.dictation > 1:
            raise UserError("--reading and --dictation are shares of the same examples; together they are at most 1.")
        self.layout, self.drawing = layout, drawing
        self.silence = torch.tensor(packed.silence)
        self.sine = torch.tensor(packed.sine)
        self.dialogues = _shared(packed.dialogues, drawing.share)
        self._codes, self._voices = packed.codes, packed.voices
        self._roles = [tokenizer.encode(wrap_role(item["role"], drawing.spoken_roles)) for item in self.dialogues]
        self._telling = telling(self._roles)
        self.begins = torch.tensor([tokenizer.piece(piece).startswith(" ") for piece in range(layout.text_card)])
        self._texts = [_texts(item, tokenizer, layout, drawing) for item in self.dialogues]
        self._scripts = None
        if drawing.text_only:
            talks = talks_of(self.dialogues) if scripts is None else read_talks(scripts, self.dialogues)
            self._scripts = TalkPack(
                talks, tokenizer, layout, drawing.text_length, drawing.spoken_roles, drawing.text_pace
            )
        self._speaking = [_spans(item["agent"], item["frames"]) for item in self.dialogues]
        self._user_speaking = [_spans(item["user"], item["frames"]) for item in self.dialogues]

    def frames(self, index: int) -> np.ndarray:
        """One dialogue on the grid, int64 `[S, T]`, without its prompt."""
        item = self.dialogues[index]
        codes = self._codes[item["start"] : item["start"] + item["frames"]].T
        text, *heard = self._texts[index]
        return np.concatenate([text[None], codes, *(words[None] for words in heard)]).astype(np.int64)

    def batch(self, seed: int, step: int, size: int) -> Batch:
        """Examples for one step, the same for the same seed and step."""
        random = np.random.default_rng((seed, step))
        talks = None
        if self._scripts is not None:
            silent = int(random.binomial(size, self.drawing.text_only))
            size -= silent
            count = silent * max(1, self.drawing.length // self.drawing.text_length)
            if count:
                frames, learnt, copied, prompt = self._scripts.examples(random, count)
                nowhere = torch.zeros_like(learnt)
                talks = Batch(frames, learnt, nowhere, nowhere, nowhere, nowhere, copied=copied, prompt=prompt)
        rows = [self._example(int(random.integers(len(self.dialogues))), random) for _ in range(max(size, 1))]
        return _batch(rows, size, talks)._replace(begins=self.begins)

    def batch_of(self, indices: Sequence[int], seed: int) -> Batch:
        """One example of each of these dialogues, each the same for the same seed, whatever the others are."""
        rows = [self._example(index, np.random.default_rng((seed, index))) for index in indices]
        return _batch(rows, len(rows))._replace(begins=self.begins)

    def _example(self, index: int, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
        drawing, layout = self.drawing, self.layout
        item = self.dialogues[index]
        roll = random.random()
        reading = roll < drawing.reading and len(item["agent"]) > 0
        # Users whom nobody answers would teach an agent never to answer.
        alone = layout.heard and len(item["user"]) > 0 and not item["agent"]
        dictation = alone or drawing.reading <= roll < drawing.reading + drawing.dictation
        voice = self._voices[item["voice"]]
        count = min(int(random.integers(drawing.voice_frames // 3, drawing.voice_frames + 1)), voice.shape[1])
        begin = int(random.integers(voice.shape[1] - count + 1))
        role = [] if reading or dictation else self._roles[index]
        prompt = prompt_frames(
            torch.from_numpy(voice[:, begin : begin + count].astype(np.int64)), role, layout, self.silence, self.sine
        )
        room = drawing.length - prompt.shape[1]
        if reading:
            passage = self._read_out(index, random, room)
        elif dictation:
            passage = self._dictated(index, random, room)
        else:
            passage = self._passage(index)
            if drawing.stumble and random.random() < drawing.stumble:
                passage = answer_late(passage, random, layout, drawing.lead, drawing.late)
                begin_wrongly(passage, random, layout, drawing.lead, drawing.wrong)
        body, start = passage.frames, 0
        if not reading and not dictation and body.shape[1] > room and random.random() < drawing.middle:
            start = int(random.integers(body.shape[1] - room + 1))
        used = min(body.shape[1] - start, room)
        first = prompt.shape[1]
        frames = torch.zeros(layout.streams, drawing.length, dtype=torch.long)
        frames[:, :first] = prompt
        frames[:, first : first + used] = torch.from_numpy(body[:, start : start + used])

        def placed(mask: np.ndarray) -> torch.Tensor:
            whole = torch.zeros(drawing.length, dtype=torch.bool)
            whole[first : first + used] = torch.from_numpy(mask[start : start + used])
            return whole

        learnt = placed(np.ones(body.shape[1], bool))
        speech, user_speech = placed(passage.speaking), placed(passage.user_speaking)
        copied = placed(np.isin(body[layout.text], self._telling[index]))
        return frames, placed(passage.meant), learnt, speech, learnt, user_speech, copied, torch.tensor(first)

    def _passage(self, index: int) -> Passage:
        speaking = self._speaking[index]
        return Passage(self.frames(index), speaking.copy(), self._user_speaking[index], np.ones_like(speaking))

    def _read_out(self, index: int, random: np.random.Generator, room: int) -> Passage:
        """The agent's speech of some dialogues in one voice, joined with short gaps, over the user's noise.

        Its text is not the agent's to choose.
        """
        voice = self.dialogues[index]["voice"].split("/")[-1].split("_")[0]
        bodies, speaking, total = [], [], 0
        for _ in range(8):
            frames, active = self.frames(index), self._speaking[index]
            kept = _grown(active, self.drawing.lead + 2)  # keep the text before the sound, and a little silence
            quiet = np.flatnonzero(~self._user_speaking[index])
            part = frames[:, kept]
            if len(quiet):
                part[self.layout.user] = frames[self.layout.user][:, quiet[np.arange(part.shape[1]) % len(quiet)]]
            part[self.layout.heard_text] = self.layout.text_pad
            bodies.append(part)
            speaking.append(active[kept])
            total += part.shape[1]
            if total >= room:
                break
            index = self._same_voice(voice, random)
        spoken = np.concatenate(speaking)
        return Passage(np.concatenate(bodies, axis=1), spoken, np.zeros_like(spoken), np.zeros_like(spoken))

    def _dictated(self, index: int, random: np.random.Generator, room: int) -> Passage:
        """The users' speech of some dialogues, joined with short gaps, and a silent agent, whose text is not learnt."""
        layout, bodies, speaking, total = self.layout, [], [], 0
        while total < room:
            frames, active = self.frames(index), self._user_speaking[index]
            kept = _grown(active, self.drawing.heard_lag + 4)  # what was heard is written after the sound
            quiet = np.flatnonzero(~self._speaking[index])
            part = frames[:, kept]
            if len(quiet):
                part[layout.agent] = frames[layout.agent][:, quiet[np.arange(part.shape[1]) % len(quiet)]]
            part[layout.text] = layout.text_pad
            bodies.append(part)
            speaking.append(active[kept])
            total += max(1, part.shape[1])  # in some dialogues the user says nothing
            index = int(random.integers(len(self.dialogues)))
        spoken = np.concatenate(speaking)
        nobody = np.zeros_like(spoken)
        return Passage(np.concatenate(bodies, axis=1), nobody, spoken, nobody.copy())

    def _same_voice(self, voice: str, random: np.random.Generator) -> int:
        if not hasattr(self, "_by_voice"):
            self._by_voice: dict[str, list[int]] = {}
            for index, item in enumerate(self.dialogues):
                if item["agent"]:
                    self._by_voice.setdefault(item["voice"].split("/")[-1].split("_")[0], []).append(index)
        choices = self._by_voice[voice]
        return choices[int(random.integers(len(choices)))]


class _Drawn(Dataset[Batch]):
    """The batch of each step."""

    def __init__(self, pack: DialoguePack, seed: int, size: int):
        self.pack, self.seed, self.size = pack, seed, size

    def __getitem__(self, step: int) -> Batch:
        return self.pack.batch(self.seed, step, self.size)


def batches(pack: DialoguePack, seed: int, size: int, steps: range, workers: int = 0) -> Iterable[Batch]:
    """The batches of some steps, as `DialoguePack.batch` gives them; the same however many draw them.

    Args:
        pack: the dialogues.
        seed: of the data order.
        size: examples a step.
        steps: of which steps.
        workers: processes that draw them ahead; 0 to draw each when it is asked for.

    Raises:
        UserError: when there are to be less than no processes.
    """
    if workers < 0:
        raise UserError(f"--workers {workers} is no number of processes; give 0 or more.")
    drawn, ahead = _Drawn(pack, seed, size), 4 if workers else None
    return DataLoader(drawn, batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=ahead)


def _batch(rows: Sequence[tuple[torch.Tensor, ...]], size: int, talks: Batch | None = None) -> Batch:
    """The first `size` examples, perhaps none, and those without sound."""
    parts = (torch.stack(part)[:size] for part in zip(*rows, strict=True))
    frames, text, audio, speech, heard, user, copied, prompt = parts
    return Batch(frames, text, audio, speech, heard, user, talks, copied, prompt)


def _shared(dialogues: list[dict], share: float) -> list[dict]:
    """That share of the dialogues, in their order, scattered over them."""
    if not 0 < share <= 1:
        raise UserError(f"--share {share:g} is no share of the dialogues; give more than 0 and at most 1.")
    kept = np.random.default_rng(0).permutation(len(dialogues))[: math.ceil(share * len(dialogues))]
    return [dialogues[index] for index in sorted(kept)]


def _texts(item: dict, tokenizer: Tokenizer, layout: Layout, drawing: Drawing) -> list[np.ndarray]:
    """The text streams of a dialogue, int32 `[T]` each: the agent's words and, where the model has it, the user's."""
    frames = item["frames"]
    streams = [align_words(item["agent"], tokenizer, frames, layout, drawing.lead)]
    if layout.heard:
        user = sorted(item["user"], key=lambda word: word[2])
        streams.append(align_words(user, tokenizer, frames, layout, -drawing.heard_lag, at="end"))
    return [stream.numpy().astype(np.int32) for stream in streams]


def _spans(words: list, frames: int) -> np.ndarray:
    """Bool `[frames]`: where words sound."""
    active = np.zeros(frames, dtype=bool)
    for _, start, end in words:
        active[int(start * FRAME_RATE) : int(np.ceil(end * FRAME_RATE))] = True
    return active


def _grown(active: np.ndarray, margin: int) -> np.ndarray:
    """`active` with `margin` more frames on both sides of every span."""
    grown = active.copy()
    for shift in range(1, margin + 1):
        grown[:-shift] |= active[shift:]
        grown[shift:] |= active[:-shift]
    return grown
