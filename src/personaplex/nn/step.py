"""One new position of each row on a CPU, the live case, with every view of weights and buffers made beforehand.

It is the arithmetic of `transformer` in a third of its calls into torch: between two matrices that stream through the
caches a call costs ten times what it does in a loop of its own, and most of a tick was such calls. Knows blocks of the
shape that the released language models have; `transformer` computes all others, and whole sequences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.nn.cache import Past, Place, RingKV, StepKV, TransformerState

if TYPE_CHECKING:
    from personaplex.nn.transformer import Block, GatedFeedForward, RMSNorm, ShortConv, Transformer

_ALIGN = 16  # floats: a row of a buffer begins where a vector register may


class _Weights(NamedTuple):
    """One block's weights at one step; matrices as `[in, out]`, norms times the square root of their width."""

    norm1: torch.Tensor
    qkv: torch.Tensor
    out: torch.Tensor
    norm2: torch.Tensor
    up: torch.Tensor
    down: torch.Tensor
    convs: list[torch.Tensor]


class StepPlan:
    """Maps one position a row through a transformer whose state it was made for, in buffers of its own.

    Args:
        transformer: one with RMS norms and gated blocks, float32 on a CPU; its weights may change in place, but must
            not move.
        batch: rows.
        state: where their keys and values are.
    """

    def __init__(self, transformer: Transformer, batch: int, state: TransformerState):
        config = transformer.config
        dim, heads, head_dim = config.dim, config.num_heads, config.head_dim
        blocks = cast("list[Block]", list(transformer.layers))
        self._schedule, self._scale = config.schedule, head_dim**-0.5
        self._blocks = [[_weights(block, index) for index in range(config.weight_sets)] for block in blocks]
        self._rings = [
            [(keys, values) for keys, values in zip(cache.keys, cache.values, strict=True)]
            for cache in state.caches
            if isinstance(cache, RingKV)
        ]
        self._pasts = [state.pasts_of(index) for index in range(len(self._blocks))]
        # Behind each row of x stands sqrt(dim * eps): the length of both is what an RMS norm divides by, in one call.
        self._padded = torch.zeros(batch, dim + _ALIGN)
        self._padded[:, dim] = math.sqrt(dim * cast("RMSNorm", blocks[0].norm1).eps)
        self._x = self._padded[:, :dim]
        self._qkv = torch.empty(batch, 3 * dim)
        parts = self._qkv.view(batch, 3, heads, head_dim)
        self._new = parts.transpose(0, 1)  # [3, B, H, D]
        self._rows = [(row[0].unsqueeze(1), row[1], row[2]) for row in parts]  # query [H, 1, D], key, value [H, D]
        self._pairs = torch.view_as_complex(parts[:, :2].unflatten(-1, (-1, 2))) if config.rope else None
        self._gate_up = torch.empty(batch, self._blocks[0][0].up.shape[1])
        self._gate, self._up = self._gate_up.chunk(2, dim=-1)
        self._heads = torch.zeros(batch, dim)
        self._heads_of_rows = self._heads.view(batch, heads, 1, head_dim).unbind(0)
        self._heads_of_all = self._heads.view(batch * heads, 1, head_dim)
        self._nothing = torch.zeros(1, 1, 1)
        self._walks = [
            [_walk(cache.kept, step) for step in range(len(config.schedule or ()))]
            for cache in state.caches
            if isinstance(cache, StepKV)
        ]

    def walk(self, x: torch.Tensor, step: int) -> torch.Tensor:
        """Map `x [B, C]`, step `step` of a schedule, to the same shape; the steps before it have been mapped."""
        assert self._schedule is not None, "only a schedule is walked"
        self._x.copy_(x)
        for sets, walks in zip(self._blocks, self._walks, strict=True):
            weights = sets[self._schedule[step]]
            torch.mm(self._normed(weights.norm1), weights.qkv, out=self._qkv)
            walk = walks[step]
            walk.new.copy_(self._new)
            self._attend(walk.query, walk.keys, walk.values, self._heads_of_all)
            self._x.addmm_(self._heads, weights.out)
            self._feed_forward(weights, self._normed(weights.norm2))
        return self._x.clone()

    def advance(
        self, x: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor] | None, places: Sequence[Place]
    ) -> torch.Tensor:
        """Map `x [B, C]`, the next position of the rows in `places`, to the same shape.

        Each row sees the slots that it has filled, and no others: what it is given depends on itself alone.

        Args:
            x: one position of each row; what becomes of rows that have no place means nothing.
            angles: of each row's position, `[B, 1, 1, head_dim / 2]`; None where positions are not rotary.
            places: where the ring takes them.
        """
        self._x.copy_(x)
        turn = None if angles is None else torch.complex(*angles)
        for (weights,), ring, pasts in zip(self._blocks, self._rings, self._pasts, strict=True):
            torch.mm(self._near(0, self._normed(weights.norm1), weights, pasts), weights.qkv, out=self._qkv)
            if self._pairs is not None and turn is not None:
                self._pairs.mul_(turn)
            for row, slot, used in places:
                query, key, value = self._rows[row]
                keys, values = ring[row]
                keys.select(1, slot).copy_(key)
                values.select(1, slot).copy_(value)
                seen = keys.narrow(1, 0, used).transpose(1, 2)
                self._attend(query, seen, values.narrow(1, 0, used), self._heads_of_rows[row])
            self._x.addmm_(self._heads, weights.out)
            self._feed_forward(weights, self._near(1, self._normed(weights.norm2), weights, pasts))
        return self._x.clone()

    def _normed(self, norm: torch.Tensor) -> torch.Tensor:
        size = torch.linalg.vector_norm(self._padded, dim=-1, keepdim=True)
        return torch.div(self._x, size).mul_(norm)

    def _near(self, index: int, x: torch.Tensor, weights: _Weights, pasts: list[Past] | None) -> torch.Tensor:
        if pasts is None:
            return x
        past = pasts[index]
        out = (past.last * weights.convs[index]).sum(1).add_(x)
        past.keep(past.last, torch.cat([x.unsqueeze(1), past.last[:, :-1]], dim=1))
        return out

    def _attend(self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, out: torch.Tensor) -> None:
        """Attention of `query [N, 1, D]` over `keys [N, D, n]` and `values [N, n, D]`, all of them."""
        scores = torch.baddbmm(self._nothing, query, keys, beta=0, alpha=self._scale)
        torch.bmm(scores.softmax(dim=-1), values, out=out)

    def _feed_forward(self, weights: _Weights, x: torch.Tensor) -> None:
        torch.mm(x, weights.up, out=self._gate_up)
        self._x.addmm_(F.silu(self._gate).mul_(self._up), weights.down)


class _Walk(NamedTuple):
    """Views of the queries, keys and values `[3, B, H, steps, D]` of one block's walk, for one of its steps."""

    new: torch.Tensor
    query: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor


def _walk(kept: torch.Tensor, step: int) -> _Walk:
    queries, keys, values = kept.flatten(1, 2)  # each [B * H, steps, D]
    seen = step + 1
    return _Walk(kept[:, :, :, step], queries[:, step:seen], keys[:, :seen].transpose(1, 2), values[:, :seen])


def _weights(block: Block, index: int) -> _Weights:
    gating = block.gating[index] if isinstance(block.gating, nn.ModuleList) else block.gating
    feed_forward, width = cast("GatedFeedForward", gating), math.sqrt(block.config.dim)
    alphas = [cast("RMSNorm", norm).alpha.detach().flatten() * width for norm in (block.norm1, block.norm2)]
    return _Weights(
        alphas[0],
        block.self_attn.weights_of(index).detach().t(),
        block.self_attn.out_proj.weights_of(index).detach().t(),
        alphas[1],
        feed_forward.linear_in.weight.detach().t(),
        feed_forward.linear_out.weight.detach().t(),
        [cast("ShortConv", conv).weight.detach() for conv in block.short_convs or ()],
    )
