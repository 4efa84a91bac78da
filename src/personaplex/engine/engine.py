"""Many conversations in one batch: sound in, sound and words out, one tick each 80 ms."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from personaplex.engine.alternatives import Watched
from personaplex.engine.conversation import Conversation, Detokenizer, PieceText, Trace
from personaplex.engine.prefixes import PrefixCache
from personaplex.engine.stepper import Choice, Prefix, Stepper, prefill
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS
from personaplex.lm.sampling import Chooser, Sampling
from personaplex.nn.layout import lay_out_for_steps
from personaplex.persona.persona import Persona, PromptedModel, TextEncoder, build_prompt
from personaplex.persona.prompt import Prompt
from personaplex.persona.role import tag_pieces

PREFIX_BYTES = 1 << 30  # memory for the prompts of personas seen before


class EngineFull(UserError):
    """All rows are taken: somebody must leave before another can come."""


class _Tokenizer(TextEncoder, Detokenizer, Protocol):
    pass


class EngineModel(PromptedModel, Protocol):
    """What the engine must know of a model: `checkpoints.Model` is one."""

    @property
    def tokenizer(self) -> _Tokenizer:
        """Its tokenizer."""

    @property
    def sampling(self) -> Sampling:
        """How it chooses tokens where nothing else is asked for."""

    @property
    def quiet(self) -> bool:
        """Whether a frame whose first code is silence's is silent."""


@dataclass
class Totals:
    """Sums over the life of an engine, in seconds and counts.

    Attributes:
        frames: frames of all conversations together.
        ticks: ticks in which at least one row took part.
        encode: the users' sound to codes.
        think: both transformers and the choice of tokens.
        decode: the agent's codes to sound.
        prefill: reading prompts that were not cached.
        prefills: how many.
    """

    frames: int = 0
    ticks: int = 0
    encode: float = 0.0
    think: float = 0.0
    decode: float = 0.0
    prefill: float = 0.0
    prefills: int = 0

    @property
    def real_time_factor(self) -> float:
        """Seconds of conversation, all rows together, for each second of ticking; 0 before the first."""
        spent = self.encode + self.think + self.decode
        return self.frames * FRAME_SECONDS / spent if spent else 0.0


def padded(capacity: int) -> int:
    """Rows to compute for so many conversations: 1, else a power of two from 4 on.

    In batches of other sizes a CPU's matrix product may round some rows otherwise than their neighbours, and then what
    a conversation says would depend on which row was free for it.
    """
    return 1 if capacity == 1 else max(4, 1 << (capacity - 1).bit_length())


class Engine:
    """Steps up to `capacity` conversations together.

    A conversation may begin and end at any tick. Its tokens depend on its own input and seed alone; `rows`, to which
    the capacity is padded, decides the arithmetic, not how many of them are taken. What goes wrong in the part of a
    tick that is one conversation's own ends that one: its `pull` raises it. Everything here belongs to one thread,
    which may be any.

    Args:
        model: the model that all of them talk with; its weights may be moved in memory, and stay what they are.
        capacity: the most conversations at once; a tick costs about the same however many there are.
        prefix_bytes: memory for the prompts of personas seen before.
        exact_times: wait for the device before reading the clock, so that traces tell its work apart.
    """

    def __init__(
        self, model: EngineModel, capacity: int = 1, prefix_bytes: int = PREFIX_BYTES, exact_times: bool = False
    ):
        if capacity < 1:
            raise ValueError(f"an engine needs at least one row, not {capacity}")
        self.model, self.capacity, self.rows = model, capacity, padded(capacity)
        self.layout = model.lm.layout
        self.device = model.lm.text_emb.weight.device
        self._pads = (self.layout.text_pad, self.layout.text_end_pad)
        self._unsaid = tag_pieces(model.tokenizer)
        self.prefixes = PrefixCache(prefix_bytes)
        self.totals = Totals()
        self._exact_times = exact_times and self.device.type == "cuda"
        self._sound = next(model.codec.parameters())  # its dtype and device are those of sound
        lay_out_for_steps(model.lm)  # before states are made, which look at where the weights lie
        lay_out_for_steps(model.codec)
        self._stepper = Stepper(model.lm, self.rows, model.silence if model.quiet else None)
        self._encoder = model.codec.init_encoder_state(self.rows)
        self._decoder = model.codec.init_decoder_state(self.rows)
        self._rows: list[Conversation | None] = [None] * self.rows
        self._choose_anew()
        blank = torch.full((self.layout.streams,), self.layout.text_pad)
        blank[self.layout.agent] = blank[self.layout.user] = model.silence.cpu()
        self._blank = blank.to(self.device)  # the frame of a delayed model's first outputs

    @property
    def conversations(self) -> list[Conversation]:
        """Those that are open, by row."""
        return [conversation for conversation in self._rows if conversation is not None]

    @property
    def free(self) -> int:
        """Conversations that may still be opened."""
        return self.capacity - len(self.conversations)

    def prefix(self, persona: Persona | None) -> Prefix:
        """Read a persona's prompt, or find it read already; a server may do so before anybody comes.

        Raises:
            UserError: when the prompt is too long for the model.
        """
        prompt = build_prompt(persona, self.model)
        return self.prefixes.get(prompt.digest, lambda: self._timed_prefill(prompt))

    def open(
        self,
        persona: Persona | None = None,
        sampling: Sampling | None = None,
        seed: int | None = None,
        alternatives: int = 0,
    ) -> Conversation:
        """Begin a conversation.

        Args:
            persona: who the agent is; None for a model without personas.
            sampling: how tokens are chosen; None for the published settings.
            seed: of its random numbers, 0 to 2**63 - 1; None for one drawn now, which the conversation tells.
            alternatives: how many of the likeliest text tokens each output shall tell; 0 costs nothing.

        Raises:
            EngineFull: when all rows are taken.
            UserError: when the persona's prompt is too long for the model.
        """
        if not self.free:
            raise EngineFull(f"All {self.capacity} places are taken; try again when a conversation has ended.")
        row = self._rows.index(None)
        prefix = self.prefix(persona)
        sampling = sampling or self.model.sampling
        seed = secrets.randbits(63) if seed is None else seed
        conversation = Conversation(
            row,
            sampling,
            seed,
            streams=1 + self.layout.codebooks,
            late=self._stepper.late,
            text=PieceText(self.model.tokenizer, self.layout),
            heard=PieceText(self.model.tokenizer, self.layout) if self.layout.heard else None,
            close=self._leave,
            alternatives=alternatives,
        )
        luck = conversation.draw()[None].to(self.device)
        choice = self._watched(Chooser([sampling], self.device, self._pads, self._unsaid), alternatives)
        self._stepper.begin(row, prefix, luck, choice)
        if isinstance(choice, Watched):
            conversation.consider(choice.rows()[0])
        only = torch.tensor([row], device=self._sound.device)
        with torch.inference_mode():
            self._encoder.reset(only)
            self._decoder.reset(only)
        self._rows[row] = conversation
        self._choose_anew()
        return conversation

    @torch.inference_mode()
    def tick(self) -> int:
        """Advance every conversation that has a whole frame of input by one frame; the others stay as they are.

        Returns:
            How many took part.
        """
        ready, sound, luck = self._take()
        if not ready:
            return 0
        active = None
        if len(ready) < self.rows:
            active = torch.zeros(self.rows, dtype=torch.bool)
            active[[conversation.row for conversation in ready]] = True
            active = active.to(self.device)
        codec = self.model.codec
        times = [self._clock()]
        self._encoder.set_active(active)
        user = codec.encode(torch.from_numpy(sound).to(self._sound), self._encoder)[:, :, 0].to(self.device)
        times.append(self._clock())
        frame = self._stepper.step(user, luck.to(self.device), self._chooser, active)
        for conversation in ready:
            if conversation.ticks < conversation.late:
                frame[conversation.row] = self._blank
        times.append(self._clock())
        self._decoder.set_active(active)
        # Rows that take no part may hold cells that were never written; what is decoded for them is not kept.
        codes = frame[:, self.layout.agent].clamp(0, self.layout.card - 1).to(self._sound.device)
        pcm = codec.decode(codes[:, :, None], self._decoder)[:, 0].float().cpu().numpy()
        tokens = frame.cpu().numpy()
        times.append(self._clock())
        self._give(ready, pcm, tokens, times)
        return len(ready)

    def _take(self) -> tuple[list[Conversation], np.ndarray, torch.Tensor]:
        """Who takes part, their sound `[rows, 1, 1920]` and their luck `[rows, 1 + K]`."""
        ready = []
        sound = np.zeros((self.rows, 1, FRAME_SAMPLES), dtype=np.float32)
        luck = torch.zeros(self.rows, 1 + self.layout.codebooks)
        for conversation in self.conversations:
            if conversation.backlog:
                try:
                    sound[conversation.row, 0] = conversation.take()
                    luck[conversation.row] = conversation.draw()
                except Exception as error:  # its owner is told by `pull`
                    conversation.fail(error)
                else:
                    ready.append(conversation)
        return ready, sound, luck

    def _give(self, ready: Sequence[Conversation], pcm: np.ndarray, tokens: np.ndarray, times: Sequence[float]) -> None:
        encode, think, decode = (after - before for before, after in zip(times, times[1:], strict=False))
        trace = Trace(1e3 * encode, 1e3 * think, 1e3 * decode, len(ready), self.rows)
        considered = self._chooser.rows() if isinstance(self._chooser, Watched) else None
        for conversation in ready:
            row = conversation.row
            try:
                if considered is not None:
                    conversation.consider(considered[row])
                conversation.give(pcm[row].copy(), tokens[row].copy(), trace)
            except Exception as error:  # its owner is told by `pull`
                conversation.fail(error)
        totals = self.totals
        totals.frames += len(ready)
        totals.ticks += 1
        totals.encode += encode
        totals.think += think
        totals.decode += decode

    def _timed_prefill(self, prompt: Prompt) -> Prefix:
        begin = self._clock()
        prefix = prefill(self.model.lm, prompt)
        self.totals.prefill += self._clock() - begin
        self.totals.prefills += 1
        return prefix

    def _leave(self, conversation: Conversation) -> None:
        self._rows[conversation.row] = None
        self._choose_anew()

    def _choose_anew(self) -> None:
        # Rows that nobody is in are greedy: then a batch of greedy conversations draws no distributions at all.
        empty = Sampling(greedy=True)
        rows = [row.sampling if row else empty for row in self._rows]
        chooser = Chooser(rows, self.device, self._pads, self._unsaid)
        self._chooser = self._watched(chooser, max(row.alternatives if row else 0 for row in self._rows))

    def _watched(self, choice: Choice, alternatives: int) -> Choice:
        return Watched(choice, alternatives) if alternatives else choice

    def _clock(self) -> float:
        if self._exact_times:
            torch.cuda.synchronize(self.device)
        return time.perf_counter()
