"""One conversation as its owner sees it: sound goes in at any pace, frames of sound, words and tokens come out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from personaplex.engine.alternatives import Alternatives
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, Layout
from personaplex.lm.sampling import Sampling


class Detokenizer(Protocol):
    """A tokenizer, from ids to text."""

    def piece(self, token: int) -> str:
        """What one id adds to the text."""

    def decode(self, ids: list[int]) -> str:
        """The text of some ids."""


@dataclass(frozen=True)
class Trace:
    """Where the time of one tick went.

    Attributes:
        encode_ms: the user's sound to codes.
        think_ms: both transformers and the choice of tokens.
        decode_ms: the agent's codes to sound.
        rows: conversations that took part in the tick.
        capacity: rows that were computed, taken or not. With a conversation's input and seed it decides the tokens.
    """

    encode_ms: float
    think_ms: float
    decode_ms: float
    rows: int
    capacity: int

    @property
    def tick_ms(self) -> float:
        """The whole tick."""
        return self.encode_ms + self.think_ms + self.decode_ms


@dataclass(frozen=True, eq=False)
class Output:
    """The agent's part of one 80 ms frame.

    Attributes:
        index: which frame; it belongs at the place of the user's frame of that index (see `Conversation.late`).
        pcm: its sound, float32 `[1920]` at 24 kHz.
        text: the word piece that begins in it, a space before a new word; "" for none.
        tokens: int64 `[S]`, the whole frame of the grid: text, the agent's codes, the user's codes, what was heard.
        trace: where its tick's time went.
        heard: the piece of the user's words that was recognised in it, a space before a new word; "" for none, and
            always where the model has no stream for them.
        alternatives: the likeliest text tokens of this frame and their probabilities, as many as `Engine.open` was
            asked for; the one that was chosen need not be among them.
    """

    index: int
    pcm: np.ndarray
    text: str
    tokens: np.ndarray
    trace: Trace
    heard: str = ""
    alternatives: Alternatives = ()


class PieceText:
    """Turns text tokens into text as they come, holding back the bytes of a character until it is whole."""

    def __init__(self, tokenizer: Detokenizer, layout: Layout):
        self._tokenizer = tokenizer
        self._silent = (layout.text_pad, layout.text_end_pad)
        self._held: list[int] = []

    def push(self, token: int) -> str:
        """What the token adds; "" for padding and for part of a character."""
        if token in self._silent:
            return ""
        if piece := self._tokenizer.piece(token):
            self._held.clear()
            return piece
        self._held.append(token)
        text = self._tokenizer.decode(self._held)
        whole = bool(text) and "\N{REPLACEMENT CHARACTER}" not in text
        if whole or not text or len(self._held) >= 4:  # a character has at most 4 bytes
            self._held.clear()
        return text if whole else ""


class Conversation:
    """A row of the engine's batch while somebody talks in it. Made by `Engine.open`.

    `push` and `pull` may be called from any thread; `close` belongs to the thread that ticks.

    Attributes:
        row: its row.
        sampling: how its tokens are chosen.
        seed: of its own random numbers; with the same inputs it gives the same tokens.
        late: frames by which the output comes later than the input that it belongs to: 0 unless the model has a delay
            of more than one frame. The first `late` outputs are silent and belong to no frame.
        alternatives: how many text tokens each output tells that could have been chosen.
    """

    def __init__(
        self,
        row: int,
        sampling: Sampling,
        seed: int,
        streams: int,
        late: int,
        text: PieceText,
        heard: PieceText | None,
        close: Callable[[Conversation], None],
        alternatives: int = 0,
    ):
        self.row, self.sampling, self.seed, self.late = row, sampling, seed, late
        self.alternatives = alternatives
        self.closed = False
        self._failure: Exception | None = None
        self._considered: deque[Alternatives] = deque()
        self._generator = torch.Generator().manual_seed(seed)
        self._agent_streams = streams
        self._text, self._heard = text, heard
        self._close = close
        self._lock = threading.Lock()
        self._frames: deque[np.ndarray] = deque()
        self._rest = np.zeros(0, dtype=np.float32)
        self._outputs: list[Output] = []
        self.ticks = 0

    @property
    def backlog(self) -> int:
        """Whole frames of input that wait for a tick."""
        return len(self._frames)

    def push(self, pcm: np.ndarray) -> None:
        """Give the user's sound, float `[n]` at 24 kHz in -1..1, any n. Samples that are not numbers count as silence.

        Raises:
            UserError: when the conversation is closed.
            ValueError: when it is not one channel.
            Exception: what broke this conversation in a tick.
        """
        if self.closed:
            raise UserError("The conversation is closed.")
        if self._failure is not None:
            raise self._failure
        pcm = np.asarray(pcm, dtype=np.float32)
        if pcm.ndim != 1:
            raise ValueError(f"sound must be one channel, [n]; got {list(pcm.shape)}")
        with self._lock:
            joined = np.concatenate([self._rest, np.nan_to_num(pcm, nan=0.0, posinf=0.0, neginf=0.0)])
            whole = len(joined) // FRAME_SAMPLES * FRAME_SAMPLES
            self._frames.extend(joined[:whole].reshape(-1, FRAME_SAMPLES))
            self._rest = joined[whole:]

    def pull(self) -> list[Output]:
        """Take the frames that are ready, in order; they can also be taken after the end.

        Raises:
            Exception: what broke this conversation in a tick, once the frames before that have been taken.
        """
        with self._lock:
            ready, self._outputs = self._outputs, []
        if self._failure is not None and not ready:
            raise self._failure
        return ready

    def close(self) -> None:
        """End it and free its row. Closing twice does nothing."""
        if not self.closed:
            self.closed = True
            self._close(self)

    def draw(self) -> torch.Tensor:
        """Uniform numbers `[1 + K]` for the next column (the engine's part)."""
        return torch.rand(self._agent_streams, generator=self._generator)

    def take(self) -> np.ndarray:
        """The next whole frame of input, `[1920]` (the engine's part)."""
        return self._frames.popleft()

    def fail(self, error: Exception) -> None:
        """Take no part in any tick from now on; `pull` and `push` raise the error (the engine's part)."""
        with self._lock:
            self._failure = error
            self._frames.clear()

    def consider(self, alternatives: Alternatives) -> None:
        """Remember between what the text of the next column was chosen (the engine's part)."""
        self._considered.append(alternatives[: self.alternatives])

    def give(self, pcm: np.ndarray, tokens: np.ndarray, trace: Trace) -> None:
        """Put a frame of output where `pull` finds it (the engine's part)."""
        text = self._text.push(int(tokens[0]))
        heard = "" if self._heard is None else self._heard.push(int(tokens[-1]))
        # A text is chosen with the column before its own, and comes out when the last code of its frame does.
        considered = self._considered.popleft() if self.alternatives and self.ticks >= self.late else ()
        output = Output(self.ticks - self.late, pcm, text, tokens, trace, heard, considered)
        self.ticks += 1
        with self._lock:
            self._outputs.append(output)
