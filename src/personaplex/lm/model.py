"""The language model: a temporal transformer over frames and a depth transformer over one frame's codebooks.

Moshi paper (arXiv 2410.00037), section 3.4. Parameter names are those of the released weights. It reads and predicts
tokens on the grid of `frames`; it knows nothing of sound, prompts or sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.frames import ZERO, lag, undelay
from personaplex.lm.config import LMConfig
from personaplex.lm.pointer import Memory, Pointer
from personaplex.lm.recall import recall
from personaplex.lm.voiceprint import Sample, Voiceprint
from personaplex.nn.cache import TransformerState
from personaplex.nn.transformer import Transformer, init_linear, make_norm

Pick = Callable[[torch.Tensor, int], torch.Tensor]
"""Chooses tokens int64 `[B]` from logits `[B, card]` of depth step k."""


class TokenEmbedding(nn.Embedding):
    """An embedding in which the id `ZERO` stands for the zero vector."""

    def __init__(self, entries: int, dim: int):
        super().__init__(entries, dim)
        init_linear(self.weight)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embed int64 `[...]` as `[..., dim]`."""
        embedded = F.embedding(tokens.clamp(min=0), self.weight)
        return embedded.masked_fill((tokens == ZERO)[..., None], 0.0)


class Logits(NamedTuple):
    """Predictions aligned with the frames they are about.

    Attributes:
        text: `[B, T, text_card]`.
        audio: `[B, dep_q, T, card]`; zeros where `valid` is false.
        valid: bool `[dep_q, T]`; false for the last frames of a delayed stream, which no column predicted.
        heard: `[B, T, text_card]`, the user's words; None where the model has no stream for them.
    """

    text: torch.Tensor
    audio: torch.Tensor
    valid: torch.Tensor
    heard: torch.Tensor | None = None


class LanguageModel(nn.Module):
    """Moshi's language model, of any size.

    With `config.heard` it also predicts the user's words, from the temporal transformer alone, and reads them back.
    With `config.recall` it reads, beside a frame, the last word pieces of its text streams, scaled by a gain a place.
    With `config.shared_words` it reads the user's words, and the last of them, by the embedding of the agent's text
    too, scaled by a gain a place: so they resemble the same words in the role.
    With `config.pointer` it may copy word pieces from its role; with `config.echo` also the user's last words; with
    `config.lookup` it looks up there what its answer will be about (see `pointer`).
    With `config.voiceprint` the depth transformer is told how the prompt's voice sounds (see `voiceprint`).

    Args:
        config: the sizes.
    """

    def __init__(self, config: LMConfig):
        super().__init__()
        self.config = config
        self.layout = config.layout
        dim, depth_dim, card = config.dim, config.depformer_dim, config.card
        self.emb = nn.ModuleList([TokenEmbedding(card + 1, dim) for _ in range(config.n_q)])
        self.text_emb = TokenEmbedding(config.text_card + 1, dim)
        self.transformer = Transformer(config.temporal)
        self.out_norm = make_norm(config.norm, dim)
        self.text_linear = nn.Linear(dim, config.text_card, bias=False)
        inputs = max(config.schedule) + 1 if config.depformer_multi_linear else 1
        self.depformer_in = nn.ModuleList([nn.Linear(dim, depth_dim, bias=False) for _ in range(inputs)])
        self.depformer_emb = nn.ModuleList([TokenEmbedding(card + 1, depth_dim) for _ in range(config.dep_q - 1)])
        self.depformer_text_emb = TokenEmbedding(config.text_card + 1, depth_dim)
        self.depformer = Transformer(config.depth)
        self.linears = nn.ModuleList([nn.Linear(depth_dim, card, bias=False) for _ in range(config.dep_q)])
        for linear in (self.text_linear, *self.linears):
            init_linear(linear.weight)
        self.heard_emb: TokenEmbedding | None = None
        self.heard_linear: nn.Linear | None = None
        if config.heard:
            self.heard_emb = TokenEmbedding(config.text_card + 1, dim)
            self.heard_linear = nn.Linear(dim, config.text_card, bias=False)
            init_linear(self.heard_linear.weight)
        self.recall_gains: nn.Parameter | None = None
        if config.recall:
            self.recall_gains = nn.Parameter(torch.zeros(config.recall * len(self.layout.texts), dim))
        self.heard_gains: nn.Parameter | None = None
        if config.heard and config.shared_words:
            self.heard_gains = nn.Parameter(torch.zeros(1 + config.recall, dim))
        self.pointer: Pointer | None = None
        if config.pointer:
            self.pointer = Pointer(dim, config.pointer, self.layout, config.lookup, config.echo)
        self.voiceprint: Voiceprint | None = None
        if config.voiceprint:
            self.voiceprint = Voiceprint(dim, depth_dim, inputs, config.voiceprint)

    def recall(self, columns: torch.Tensor, before: torch.Tensor | None = None) -> torch.Tensor | None:
        """The last word pieces at each column, int64 `[B, N, T]` (see `recall`); None where the model reads none.

        Args:
            columns: int64 `[B, S, T]`.
            before: int64 `[B, N]`, those at the column before these.
        """
        return recall(columns, self.layout, self.config.recall, before) if self.config.recall else None

    def embed(self, columns: torch.Tensor, recalled: torch.Tensor | None = None) -> torch.Tensor:
        """The sum of the streams' embeddings: int64 `[B, S, T]` → `[B, T, dim]`.

        Args:
            columns: int64 `[B, S, T]`.
            recalled: what `recall` gives for them; None where these columns are a conversation's first.
        """
        tables, streams = [*self.emb, self.text_emb], [*range(1, 1 + self.config.n_q), 0]
        if self.heard_emb is not None:
            tables.append(self.heard_emb)
            streams.append(-1)
        # A live column on a CPU has no cell to blank out; what lies below 0 there is in rows that take no part.
        plain = columns.device.type == "cpu" and not torch.is_grad_enabled() and not (columns == ZERO).any()
        if plain:
            columns = columns.clamp(min=0)
        x: torch.Tensor | None = None
        for table, stream in zip(tables, streams, strict=True):
            tokens = columns[:, stream]
            part = F.embedding(tokens, table.weight) if plain else table(tokens)
            x = part if x is None else x + part
        assert x is not None, "there is always the text stream"
        if recalled is None:
            recalled = self.recall(columns)
        if self.heard_gains is not None:
            heard = [columns[:, -1], *(() if recalled is None else recalled[:, self.config.recall :].unbind(1))]
            for gain, tokens in zip(self.heard_gains, heard, strict=True):
                x = x + self.text_emb(tokens) * gain
        if self.recall_gains is not None:
            assert recalled is not None, "the gains are there for something"
            words = [self.text_emb] * self.config.recall
            words += [] if self.heard_emb is None else [self.heard_emb] * self.config.recall
            for table, gain, tokens in zip(words, self.recall_gains, recalled.unbind(1), strict=True):
                x = x + table(tokens) * gain
        return x

    def init_state(self, batch: int, capacity: int | None = None) -> TransformerState:
        """The temporal transformer's state for `batch` conversations, one column a call (or a prompt of `capacity`)."""
        return self.transformer.init_state(batch, capacity=capacity)

    def init_depth_state(self, batch: int) -> TransformerState:
        """The depth transformer's state for the columns of `batch` conversations, one after the other."""
        return self.depformer.init_state(batch)

    def temporal(self, embedded: torch.Tensor, state: TransformerState | None = None) -> torch.Tensor:
        """Temporal transformer and output norm: `[B, T, dim]` → `[B, T, dim]`."""
        return self.out_norm(self.transformer(embedded, state))

    def role_memory(self, hidden: torch.Tensor, columns: torch.Tensor, prompt: torch.Tensor) -> Memory | None:
        """What of a prompt can be copied; None where the model copies nothing.

        Args:
            hidden: `[B, T, dim]`, the temporal transformer's output at each column.
            columns: int64 `[B, S, T]`.
            prompt: bool `[B, T]`, columns of the prompt.
        """
        return None if self.pointer is None else self.pointer.memory(hidden, columns[:, self.layout.text], prompt)

    def memory(self, hidden: torch.Tensor, columns: torch.Tensor, prompt: torch.Tensor) -> Memory | None:
        """As `role_memory`, and of every column what of the user's last words it can echo."""
        memory = self.role_memory(hidden, columns, prompt)
        if self.pointer is None or memory is None or not self.config.echo:
            return memory
        return self.pointer.with_heard(memory, hidden, columns[:, -1])

    def sample(self, hidden: torch.Tensor, columns: torch.Tensor, prompt: torch.Tensor) -> Sample | None:
        """What of a prompt's voice can be looked up; None where the model looks none up. As `role_memory`."""
        if self.voiceprint is None:
            return None
        agent = columns[:, self.layout.agent, : self.voiceprint.reach + 1].unbind(dim=1)
        sounds = [table(codes) for table, codes in zip(self.emb[: len(agent)], agent, strict=True)]
        return self.voiceprint.sample(
            hidden[:, : agent[0].shape[1]], torch.stack(sounds).sum(dim=0), prompt[:, : agent[0].shape[1]]
        )

    def voice(self, hidden: torch.Tensor, sample: Sample | None) -> torch.Tensor | None:
        """What the depth transformer is told of the voice, `[B, T, sets * depformer_dim]`; None for nothing."""
        return None if self.voiceprint is None or sample is None else self.voiceprint(hidden, sample)

    def text_logits(self, hidden: torch.Tensor, memory: Memory | None = None) -> torch.Tensor:
        """The agent's next text token: `[B, T, dim]` → `[B, T, text_card]`.

        Args:
            hidden: the temporal transformer's output.
            memory: what each row can copy, from `memory`; None where nothing is copied.
        """
        if self.pointer is None or memory is None:
            return self.text_linear(hidden)
        hidden, _ = self.pointer.look_up(hidden, memory)
        logits = self.text_linear(hidden)
        weights = self.pointer.attend(hidden, memory)
        pieces = memory.pieces[:, None].expand(-1, hidden.shape[1], -1)
        flat = [tensor.flatten(0, 1) for tensor in (logits, hidden, weights, pieces)]
        return self.pointer.mix(flat[0], flat[1], flat[2], flat[3], memory.heard).view(logits.shape)

    def _depth_inputs(self, hidden: torch.Tensor, steps: int, voice: torch.Tensor | None) -> list[torch.Tensor]:
        """The projected hidden state and what is known of the voice, for each depth step.

        Steps that share a projection share the result.
        """
        indices = self.config.schedule[:steps] if self.config.depformer_multi_linear else [0] * steps
        projected = {index: self.depformer_in[index](hidden) for index in dict.fromkeys(indices)}
        if voice is not None:
            told = voice.chunk(len(self.depformer_in), dim=-1)
            projected = {index: part + told[index] for index, part in projected.items()}
        return [projected[index] for index in indices]

    def _depth_embedding(self, step: int, previous: torch.Tensor) -> torch.Tensor:
        """The embedding, at depth step `step`, of the token before it."""
        return (self.depformer_text_emb if step == 0 else self.depformer_emb[step - 1])(previous)

    def depth(
        self, hidden: torch.Tensor, targets: torch.Tensor, steps: int | None = None, voice: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Teacher-forced depth transformer.

        Args:
            hidden: `[N, dim]`, the temporal transformer's output before each target column.
            targets: int64 `[N, S]`, the columns to predict.
            steps: codebooks to predict; None for all.
            voice: `[N, sets * depformer_dim]`, what `voiceprint` tells; None for nothing.

        Returns:
            Logits `[N, steps, card]`.
        """
        linears = self.linears[: steps or self.config.dep_q]
        projected = self._depth_inputs(hidden, len(linears), voice)
        inputs = [part + self._depth_embedding(step, targets[:, step]) for step, part in enumerate(projected)]
        out = self.depformer(torch.stack(inputs, dim=1))
        return torch.stack([linear(out[:, step]) for step, linear in enumerate(linears)], dim=1)

    def depth_steps(
        self,
        hidden: torch.Tensor,
        text: torch.Tensor,
        steps: int,
        pick: Pick,
        state: TransformerState | None = None,
        voice: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run the depth transformer step by step, each on the token that `pick` chose before.

        Args:
            hidden: `[B, dim]`.
            text: int64 `[B]`, the column's text token.
            steps: codebooks to produce: the agent's suffice when the user's are given.
            pick: chooses a token from a step's logits; it may return a forced one.
            state: from `init_depth_state` for as many rows, to be used again and again; None for a new one.
            voice: `[B, sets * depformer_dim]`, what `voiceprint` tells; None for nothing.

        Returns:
            int64 `[B, steps]`.
        """
        if state is None:
            state = self.init_depth_state(len(hidden))
        state.rewind()
        token, tokens = text, []
        for step, projected in enumerate(self._depth_inputs(hidden, steps, voice)):
            x = self.depformer((projected + self._depth_embedding(step, token))[:, None], state)
            token = pick(self.linears[step](x[:, 0]), step)
            tokens.append(token)
        return torch.stack(tokens, dim=1)

    def forward(self, frames: torch.Tensor, prompt: torch.Tensor | None = None) -> Logits:
        """Teacher-forced predictions of every frame from those before it.

        Args:
            frames: int64 `[B, S, T]`, undelayed.
            prompt: int64 `[B]`, frames of each row's prompt, which a model with a pointer copies from; None for none.
        """
        columns = lag(frames, self.layout)
        hidden = self.temporal(self.embed(columns[:, :, :-1]))
        memory = voice = None
        if prompt is not None:
            within = prompt_columns(prompt, hidden.shape[1])
            memory = self.memory(hidden, columns[:, :, :-1], within)
            voice = self.voice(hidden, self.sample(hidden, columns[:, :, :-1], within))
        batch, length, _ = hidden.shape
        targets = columns[:, :, 1:].transpose(1, 2).flatten(0, 1)
        voice = None if voice is None else voice.flatten(0, 1)
        audio = (
            self.depth(hidden.flatten(0, 1), targets, voice=voice)
            .view(batch, length, self.config.dep_q, -1)
            .transpose(1, 2)
        )
        audio, valid = undelay(audio, self.layout.delays[1 : 1 + self.config.dep_q])
        heard = None if self.heard_linear is None else self.heard_linear(hidden)
        return Logits(self.text_logits(hidden, memory), audio, valid, heard)


def prompt_columns(prompt: torch.Tensor, length: int) -> torch.Tensor:
    """Of `length` columns those of prompts of so many frames: int64 `[B]` → bool `[B, length]`, the initial one too."""
    return torch.arange(length, device=prompt.device) <= prompt[:, None]
