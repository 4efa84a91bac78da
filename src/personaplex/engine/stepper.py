"""Tokens in, tokens out: a batch of conversations on the grid, stepped one column at a time.

Knows the delays, what is known beforehand and what must be predicted, and which rows take part. Knows nothing of sound,
of words or of who is talking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from personaplex.frames import UNGENERATED, ZERO, Layout
from personaplex.lm.model import LanguageModel
from personaplex.lm.pointer import Memory
from personaplex.lm.voiceprint import Sample
from personaplex.nn.cache import TransformerState
from personaplex.persona.prompt import Prompt


class Choice(Protocol):
    """Turns logits `[B, card]` and uniform numbers `[B]` into tokens int64 `[B]` (see `lm.sampling.Chooser`)."""

    def text(self, logits: torch.Tensor, luck: torch.Tensor) -> torch.Tensor:
        """Choose text tokens."""

    def audio(self, logits: torch.Tensor, luck: torch.Tensor) -> torch.Tensor:
        """Choose audio codes."""


def predict(
    lm: LanguageModel,
    hidden: torch.Tensor,
    known: torch.Tensor,
    luck: torch.Tensor,
    choice: Choice,
    depth: TransformerState | None = None,
    memory: Memory | None = None,
    sample: Sample | None = None,
    active: torch.Tensor | None = None,
) -> torch.Tensor:
    """Fill in the model's cells of the next column: the agent's, and what it heard, if it has a stream for that.

    What it heard is recognised, not invented: always the likeliest token, whatever the luck. The user's depth steps are
    not run, and on a CPU neither are the agent's from where all cells were written beforehand.

    Args:
        lm: the language model.
        hidden: `[B, dim]`, the temporal transformer's output for the column before.
        known: int64 `[B, S]`, the column as far as it was written beforehand, else `UNGENERATED`.
        luck: uniform numbers `[B, 1 + K]`.
        choice: chooses tokens from logits.
        depth: the depth transformer's state, to be used again and again; None for a new one.
        memory: what of the roles can be copied; None where the model copies nothing.
        sample: what of the voices can be looked up; None where the model looks none up.
        active: bool `[B]`, rows that are waited for; None for all. What is returned for the others means nothing.

    Returns:
        int64 `[B, S]`: `known` with the model's cells filled in.
    """
    layout = lm.layout
    open_cells, cells_before, chances = (known == UNGENERATED).unbind(1), known.unbind(1), luck.unbind(1)

    def keep(stream: int, chosen: torch.Tensor) -> torch.Tensor:
        return torch.where(open_cells[stream], chosen, cells_before[stream])

    text = keep(0, choice.text(lm.text_logits(hidden[:, None], memory)[:, 0], chances[0]))
    steps = layout.codebooks
    if hidden.device.type == "cpu":  # which to ask costs nothing there
        wanted = (known if active is None else known[active])[:, layout.agent] == UNGENERATED
        steps = max(1, int((wanted.any(dim=0) * torch.arange(1, steps + 1)).max()))

    def pick(logits: torch.Tensor, step: int) -> torch.Tensor:
        return keep(1 + step, choice.audio(logits, chances[1 + step]))

    voice = lm.voice(hidden[:, None], sample)
    codes = lm.depth_steps(hidden, text, steps, pick, depth, None if voice is None else voice[:, 0])
    cells = [text[:, None], codes, known[:, layout.agent][:, steps:], known[:, layout.user]]
    if lm.heard_linear is not None:
        cells.append(keep(-1, lm.heard_linear(hidden).argmax(dim=-1))[:, None])
    return torch.cat(cells, dim=1)


@dataclass(frozen=True)
class Prefix:
    """What is left of a prompt once the temporal transformer has read it: where any number of conversations can begin.

    Attributes:
        state: keys and values of its columns, one row.
        hidden: `[1, dim]`, the output for its last column.
        pending: int64 `[S, max_delay]`, the columns after it that it has begun to write.
        length: its columns, P; the conversation's first frame is column P.
        recalled: int64 `[1, N]`, the last word pieces in it; None where the model recalls none.
        memory: what of the role can be copied, R pieces; None where the model copies nothing.
        sample: what of the voice can be looked up; None where the model looks none up, or the codes of the voice are
            not known.
        nbytes: memory that it holds.
    """

    state: TransformerState
    hidden: torch.Tensor
    pending: torch.Tensor
    length: int
    recalled: torch.Tensor | None = None
    memory: Memory | None = None
    sample: Sample | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values, and of what can be copied or looked up."""
        kept = [tensor for node in self.state.nodes() for tensor in node.own_tensors()]
        kept += [] if self.memory is None else [self.memory.keys, self.memory.pieces]
        kept += [] if self.sample is None else self.sample
        return sum(tensor.nbytes for tensor in kept)


@torch.inference_mode()
def prefill(lm: LanguageModel, prompt: Prompt) -> Prefix:
    """Read a whole prompt in one pass of the temporal transformer; the depth transformer is not needed."""
    weight = lm.text_emb.weight
    columns = prompt.columns.to(weight.device)
    fed = columns.shape[1] - lm.layout.max_delay
    recalled = lm.recall(columns[None, :, :fed])
    embedded = lm.embed(columns[None, :, :fed], recalled)
    if prompt.embeddings is not None:
        embedded = torch.cat([prompt.embeddings[None].to(weight), embedded], dim=1)
    length = embedded.shape[1]
    state = lm.init_state(1, capacity=length)
    hidden = lm.temporal(embedded, state)
    everywhere = torch.ones(1, fed, dtype=torch.bool, device=columns.device)
    memory = lm.role_memory(hidden[:, length - fed :], columns[None, :, :fed], everywhere)
    if memory is not None:
        there = (memory.pieces != ZERO)[0]
        memory = Memory(memory.keys[:, there], memory.pieces[:, there])
    sample = lm.sample(hidden, columns[None, :, :fed], everywhere) if prompt.embeddings is None else None
    last = None if recalled is None else recalled[:, :, -1]
    return Prefix(state, hidden[:, -1], columns[:, fed:], length, last, memory, sample)


class _Silence(NamedTuple):
    """Which cells follow from a silent first code.

    Attributes:
        first: the stream of the agent's first codes.
        begins: the code with which a silent frame begins, int64 scalar.
        streams: int64 `[N]`, the agent's streams whose codes come in later columns than the first.
        after: int64 `[N]`, by how many.
        codes: int64 `[N]`, what they are in silence.
    """

    first: int
    begins: torch.Tensor
    streams: torch.Tensor
    after: torch.Tensor
    codes: torch.Tensor

    @classmethod
    def of(cls, silence: torch.Tensor, layout: Layout) -> _Silence:
        """Of the codes of a silent frame, int64 `[K]`."""
        first = layout.agent.start
        after = torch.tensor(layout.delays[layout.agent], device=silence.device) - layout.delays[first]
        (later,) = torch.where(after > 0)
        return cls(first, silence[0], first + later, after[later], silence[later])


class Stepper:
    """`capacity` rows on the grid; each is at its own column, and those that take no part in a step stay as they are.

    A step writes a user frame, feeds the column that it completes, predicts the model's cells of the next one, and
    returns the newest frame whose cells are all there. With delays of at most 1 that is the frame at whose place the
    user's was written: nothing lags. With a larger delay the first `late` frames of a conversation are not there yet.

    Args:
        lm: the language model.
        capacity: number of rows.
        silence: int64 `[K]`, the codes of a silent frame: one of the agent's that begins with the first of them is
            silent in all that come in later columns. None to ask the model for each.
    """

    def __init__(self, lm: LanguageModel, capacity: int, silence: torch.Tensor | None = None):
        self.lm = lm
        self.layout = lm.layout
        self.capacity = capacity
        device = lm.text_emb.weight.device
        self.delays = torch.tensor(self.layout.delays, device=device)
        self.late = max(self.layout.max_delay, 1) - 1
        self._silence = None if silence is None else _Silence.of(silence.to(device), self.layout)
        self._width = 2 * max(self.layout.max_delay, 1) + 1  # columns that are being written or still waited for
        shape = (capacity, self.layout.streams, self._width)
        self.cells = torch.full(shape, UNGENERATED, dtype=torch.long, device=device)
        self.position = torch.zeros(capacity, dtype=torch.long, device=device)  # the column that each row feeds next
        self.state = lm.init_state(capacity)
        recalled = lm.recall(self.cells[:, :, :1])  # of each row the last word pieces: none yet
        self.recalled = None if recalled is None else recalled[:, :, 0].clone()
        self.memory: Memory | None = None
        if lm.pointer is not None:  # a role is shorter than the context; behind it, in turn, the user's last words
            room = (capacity, lm.config.context + lm.config.echo)
            keys = lm.text_emb.weight.new_zeros(*room, lm.config.pointer)
            pieces = torch.full(room, ZERO, dtype=torch.long, device=device)
            self.memory = Memory(keys, pieces, heard=lm.config.echo)
        self.sample = None if lm.voiceprint is None else lm.voiceprint.empty(capacity)
        self.echoed = torch.zeros(capacity, dtype=torch.long, device=device)  # the user's pieces so far
        self.depth = lm.init_depth_state(capacity)

    @torch.inference_mode()
    def begin(self, row: int, prefix: Prefix, luck: torch.Tensor, choice: Choice) -> None:
        """Begin a conversation in a row: take over a prompt's state and predict the column after it.

        Args:
            row: which row; whatever was in it is forgotten.
            prefix: the prompt.
            luck: uniform numbers `[1, 1 + K]`.
            choice: chooses tokens from the logits of this one row.
        """
        column = torch.full((1, self.layout.streams), UNGENERATED, dtype=torch.long, device=self.cells.device)
        if self.layout.max_delay:
            column = prefix.pending[None, :, 0]
        column = predict(self.lm, prefix.hidden, column, luck, choice, memory=prefix.memory, sample=prefix.sample)
        self.state.reset(torch.tensor([row], device=self.cells.device))
        self.state.copy_row(row, prefix.state)
        self.position[row] = prefix.length
        if self.recalled is not None and prefix.recalled is not None:
            self.recalled[row] = prefix.recalled[0]
        if self.memory is not None and prefix.memory is not None:
            count = prefix.memory.pieces.shape[1]
            self.memory.pieces[row] = ZERO
            self.memory.pieces[row, :count] = prefix.memory.pieces[0]
            self.memory.keys[row, :count] = prefix.memory.keys[0]
            self.echoed[row] = 0
        if self.sample is not None:
            self.sample.there[row] = False
            if prefix.sample is not None:
                for kept, new in zip(self.sample, prefix.sample, strict=True):
                    kept[row, : new.shape[1]] = new[0]
        self.cells[row] = UNGENERATED
        for offset in range(self.layout.max_delay):
            self.cells[row, :, (prefix.length + offset) % self._width] = prefix.pending[:, offset]
        self.cells[row, :, prefix.length % self._width] = column[0]

    @torch.inference_mode()
    def step(
        self, user: torch.Tensor, luck: torch.Tensor, choice: Choice, active: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Advance the active rows by one frame.

        Args:
            user: int64 `[B, K]`, the user's codes.
            luck: uniform numbers `[B, 1 + K]`.
            choice: chooses tokens from logits.
            active: bool `[B]`, rows that take part; None for all. What is returned for the others means nothing.

        Returns:
            int64 `[B, S]`, the newest complete frame.
        """
        layout, position = self.layout, self.position
        self._write(position[:, None] + self.delays[layout.user], layout.user, user, active)
        self.state.set_active(active)
        column = self._read(position[:, None].expand(-1, layout.streams))
        recalled = self.lm.recall(column[:, :, None], self.recalled)
        hidden = self.lm.temporal(self.lm.embed(column[:, :, None], recalled), self.state)[:, 0]
        if self.recalled is not None and recalled is not None:
            taken = recalled[:, :, 0]
            self.recalled.copy_(taken if active is None else torch.where(active[:, None], taken, self.recalled))
        if self.lm.config.echo:
            self._remember(column[:, -1], hidden, active)
        following = (position + 1)[:, None].expand(-1, layout.streams)
        known = self._read(following)
        if self._silence is not None:
            known = self._silenced(known, following, self._silence)
        tokens = predict(self.lm, hidden, known, luck, choice, self.depth, self.memory, self.sample, active)
        self._write(following, slice(0, layout.streams), tokens, active)
        oldest = (position - self.late)[:, None]
        frame = self._read(oldest + self.delays)
        blank = torch.full_like(frame, UNGENERATED)
        self._write(oldest.expand_as(frame), slice(0, layout.streams), blank, active)
        position += 1 if active is None else active.long()
        return frame

    def _silenced(self, known: torch.Tensor, columns: torch.Tensor, silence: _Silence) -> torch.Tensor:
        """`known [B, S]`, of `columns [B, S]`, with what belongs to frames of the agent's that began in silence."""
        begun = self.cells[:, silence.first].gather(1, (columns[:, silence.streams] - silence.after) % self._width)
        part = known[:, silence.streams]
        silent = (begun == silence.begins) & (part == UNGENERATED)
        return known.index_copy(1, silence.streams, torch.where(silent, silence.codes, part))

    def _remember(self, heard: torch.Tensor, hidden: torch.Tensor, active: torch.Tensor | None) -> None:
        """Keep a piece of the user's, where there is one, `[B]`, in the place of the oldest that is kept."""
        pointer, memory = self.lm.pointer, self.memory
        assert pointer is not None and memory is not None, "what echoes has a pointer"
        new = pointer.said(heard) if active is None else pointer.said(heard) & active
        place = self.lm.config.context + self.echoed[:, None] % pointer.echo
        kept = memory.pieces.gather(1, place)
        memory.pieces.scatter_(1, place, torch.where(new[:, None], heard[:, None], kept))
        index = place[:, :, None].expand(-1, -1, memory.keys.shape[2])
        keys = torch.where(new[:, None, None], pointer.heard_keys(hidden)[:, None], memory.keys.gather(1, index))
        memory.keys.scatter_(1, index, keys)
        self.echoed += new.long()

    def _read(self, columns: torch.Tensor) -> torch.Tensor:
        """One cell of every stream, int64 `[B, S]`, from the columns `[B, S]`."""
        return self.cells.gather(2, (columns % self._width)[:, :, None])[:, :, 0]

    def _write(self, columns: torch.Tensor, streams: slice, tokens: torch.Tensor, active: torch.Tensor | None) -> None:
        """Write `tokens [B, n]` of n streams at their columns `[B, n]`, in the active rows."""
        cells = self.cells[:, streams]
        index = (columns % self._width)[:, :, None]
        values = tokens[:, :, None]
        if active is not None:
            values = torch.where(active[:, None, None], values, cells.gather(2, index))
        cells.scatter_(2, index, values)
