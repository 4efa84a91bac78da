"""Causal transformers with rotary positions: offline over a whole sequence, or block by block with a ring KV cache.

Parameter names and shapes are those of the released PersonaPlex weights. Knows nothing of tokens or streams.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from personaplex.nn.cache import Cache, Past, Ring, RingKV, StepKV, TransformerState
from personaplex.nn.step import StepPlan


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of one transformer.

    Attributes:
        dim: width.
        num_layers: number of blocks.
        num_heads: attention heads.
        dim_feedforward: nominal width of the feed-forward block (a gated block uses about two thirds of it).
        context: positions that attention sees, itself included; None for all.
        rope: whether positions are rotary.
        max_period: longest period of the rotary embedding.
        gating: "silu" for a gated feed-forward block, "none" for a GELU one.
        norm: "rms_norm_f32", "rms_norm" or "layer_norm".
        layer_scale: initial LayerScale, or None for none.
        schedule: weight index of each step, when steps of the sequence have weights of their own (depth transformer).
        short_conv: positions before its own that a short convolution adds to what attention and feed-forward read; 0
            for none, as in the released models.
    """

    dim: int
    num_layers: int
    num_heads: int
    dim_feedforward: int
    context: int | None = None
    rope: bool = True
    max_period: float = 10_000.0
    gating: str = "silu"
    norm: str = "rms_norm_f32"
    layer_scale: float | None = None
    schedule: tuple[int, ...] | None = None
    short_conv: int = 0

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.num_heads

    @property
    def weight_sets(self) -> int:
        """How many sets of weights the steps share among them."""
        return 1 if self.schedule is None else max(self.schedule) + 1


class RMSNorm(nn.Module):
    """Root-mean-square norm computed in float32, with its scale in `alpha [1, 1, dim]`."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.eps = eps
        self.alpha = nn.Parameter(torch.ones(1, 1, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise the last dimension; the result has the dtype of `x`."""
        wide = x.float()
        variance = self.eps + wide.square().mean(dim=-1, keepdim=True)
        return (wide * (self.alpha.float() * torch.rsqrt(variance))).to(x.dtype)


def make_norm(name: str, dim: int) -> nn.Module:
    """The norm of that name (Kyutai's names). Raises ValueError for an unknown one."""
    if name == "rms_norm_f32":
        return RMSNorm(dim, eps=1e-8)
    if name == "rms_norm":
        return RMSNorm(dim, eps=1e-5)
    if name == "layer_norm":
        return nn.LayerNorm(dim, eps=1e-5)
    raise ValueError(f"unknown norm {name!r}; known: rms_norm_f32, rms_norm, layer_norm")


class LayerScale(nn.Module):
    """Learnt per-channel scale of a residual branch (Touvron et al. 2021)."""

    def __init__(self, dim: int, init: float):
        super().__init__()
        self.scale = nn.Parameter(torch.full((dim,), init))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale the last dimension."""
        return self.scale * x


def rotary_angles(positions: torch.Tensor, head_dim: int, max_period: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, float32 `[B, 1, T, head_dim / 2]`, of the rotation at positions int64 `[B, T]` (RoFormer)."""
    indices = torch.arange(head_dim // 2, device=positions.device, dtype=torch.float32)
    frequencies = torch.exp(indices * (-math.log(max_period) * 2 / head_dim))
    angles = positions.float()[:, None, :, None] * frequencies
    return torch.cos(angles), torch.sin(angles)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotate interleaved pairs of `x [B, H, T, D]` in float32; the result has the dtype of `x`."""
    pairs = x.float().unflatten(-1, (-1, 2))
    real, imag = pairs[..., 0], pairs[..., 1]
    turned = torch.stack([real * cos - imag * sin, real * sin + imag * cos], dim=-1)
    return turned.flatten(-2).to(x.dtype)


@dataclass(frozen=True)
class Call:
    """What all blocks share while they map one stretch of positions.

    Attributes:
        angles: of the rotary positions (`rotary_angles`); None without them.
        mask: bool, true where a position is seen; None for all that are not in the future.
        slots: where the ring takes the new positions, `[B, T]`; None without a ring.
        step: which step of the schedule the first position is.
    """

    angles: tuple[torch.Tensor, torch.Tensor] | None = None
    mask: torch.Tensor | None = None
    slots: torch.Tensor | None = None
    step: int = 0


class ShortConv(nn.Module):
    """A causal depthwise convolution beside its input: `x[t] + sum_j weight[j] * x[t - 1 - j]`.

    A pair of neighbours is then one position away from attention, which is what copying a fact out of a role and
    hearing a word that spans frames are made of (Primer, arXiv 2109.08668). It begins at zero, so that a trained model
    may gain it.
    """

    def __init__(self, dim: int, reach: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(reach, dim))

    def forward(self, x: torch.Tensor, past: Past | None) -> torch.Tensor:
        """Map `x [B, T, C]` to the same shape; `past` is read and carried on."""
        reach, length = len(self.weight), x.shape[1]
        if past is None:
            before = x.new_zeros(x.shape[0], reach, x.shape[2])
        else:
            before = past.last.flip(1).to(x.dtype)
        sequence = torch.cat([before, x], dim=1)
        if past is not None:
            past.keep(past.last, sequence[:, length:].flip(1))
        out, weight = x, self.weight.to(x.dtype)
        for index in range(reach):
            start = reach - 1 - index
            out = torch.addcmul(out, sequence[:, start : start + length], weight[index])
        return out


class StepLinear(nn.Module):
    """A bias-free linear map with one weight per step, stacked along the rows of `weight [sets * out, in]`."""

    def __init__(self, dim_in: int, dim_out: int, schedule: tuple[int, ...] | None):
        super().__init__()
        self.schedule = schedule
        sets = 1 if schedule is None else max(schedule) + 1
        self.weight = nn.Parameter(torch.empty(sets * dim_out, dim_in))
        init_linear(self.weight)

    def forward(self, x: torch.Tensor, step: int = 0) -> torch.Tensor:
        """Map `x [B, T, in]`, whose first position is `step`, to `[B, T, out]`."""
        return by_step(self.schedule, step, x, self._apply_set)

    def _apply_set(self, index: int, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weights_of(index))

    def weights_of(self, index: int) -> torch.Tensor:
        """One set of weights, `[out, in]`."""
        sets = 1 if self.schedule is None else max(self.schedule) + 1
        return self.weight.view(sets, -1, self.weight.shape[1])[index]


def by_step(
    schedule: tuple[int, ...] | None, step: int, x: torch.Tensor, apply: Callable[[int, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Call `apply(weight_set, x)` on each run of positions of `x [B, T, C]` that share a set; join the results."""
    if schedule is None:
        return apply(0, x)
    length = x.shape[1]
    if length == 1:
        return apply(schedule[step], x)
    parts, start = [], 0
    for end in range(1, length + 1):
        if end == length or schedule[step + end] != schedule[step + start]:
            parts.append(apply(schedule[step + start], x[:, start:end]))
            start = end
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def init_linear(weight: torch.Tensor) -> None:
    """Truncated normal of deviation `1 / sqrt(fan_in)`."""
    std = weight.shape[1] ** -0.5
    nn.init.trunc_normal_(weight, std=std, a=-3 * std, b=3 * std)


def attend(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Attention of a few new positions, `[..., T, D]`, over cached keys and values `[..., N, D]`.

    On a CPU it is spelled out: the fused kernel there rounds a row differently from thread to thread, and what a row is
    given must not depend on which row it is.
    """
    if query.device.type != "cpu" or query.shape[-2] > 16:
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
    scores = torch.matmul(query * query.shape[-1] ** -0.5, keys.transpose(-1, -2)).float()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.matmul(scores.softmax(dim=-1).to(values.dtype), values)


def attend_all(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Causal attention of a whole sequence, all `[B, H, T, D]`, where `mask` is none that narrows it.

    In bfloat16 on a CPU it is spelled out: the fused kernel's backward pass takes twice as long there.
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, is_causal=mask is None)
    length = query.shape[2]
    if mask is None:
        mask = torch.ones(length, length, dtype=torch.bool).tril()
    bias = torch.zeros(length, length, dtype=query.dtype).masked_fill(~mask, float("-inf"))
    scores = torch.matmul(query * query.shape[-1] ** -0.5, keys.transpose(-1, -2)) + bias
    return torch.matmul(scores.softmax(dim=-1), values)


class Attention(nn.Module):
    """Multi-head causal self-attention."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        # NVIDIA's layout: `in_proj_weight` beside `out_proj.weight`, steps stacked.
        self.in_proj_weight = nn.Parameter(torch.empty(config.weight_sets * 3 * config.dim, config.dim))
        init_linear(self.in_proj_weight)
        self.out_proj = StepLinear(config.dim, config.dim, config.schedule)

    def _project(self, index: int, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weights_of(index))

    def weights_of(self, index: int) -> torch.Tensor:
        """One set of the weights that project to queries, keys and values, `[3 * dim, dim]`."""
        return self.in_proj_weight.view(self.config.weight_sets, -1, self.config.dim)[index]

    def forward(self, x: torch.Tensor, call: Call, cache: Cache | None) -> torch.Tensor:
        """Attend over `x [B, T, C]`, and over the cache when there is one."""
        projected = by_step(self.config.schedule, call.step, x, self._project)
        query, key, value = projected.unflatten(-1, (3, self.config.num_heads, -1)).permute(2, 0, 3, 1, 4)
        if call.angles is not None:
            query, key = rotate(query, *call.angles), rotate(key, *call.angles)
        if cache is None:
            out = attend_all(query, key, value, call.mask)
        elif isinstance(cache, StepKV):
            out = attend(query, *cache.append(key, value), None)
        else:
            assert call.slots is not None, "a ring needs slots to write to"
            cache.write(call.slots, key, value)
            out = attend(query, cache.keys, cache.values, call.mask)
        return self.out_proj(out.transpose(1, 2).flatten(2), call.step)


class GatedFeedForward(nn.Module):
    """`linear_out(silu(gate) * up)` with `[gate; up]` stacked in `linear_in`."""

    def __init__(self, dim: int, dim_feedforward: int):
        super().__init__()
        hidden = 21 * dim // 8 if dim_feedforward == 4 * dim else 2 * dim_feedforward // 3
        self.linear_in = nn.Linear(dim, 2 * hidden, bias=False)
        self.linear_out = nn.Linear(hidden, dim, bias=False)
        init_linear(self.linear_in.weight)
        init_linear(self.linear_out.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[B, T, C]` to the same shape."""
        gate, up = self.linear_in(x).chunk(2, dim=-1)
        return self.linear_out(F.silu(gate) * up)


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each on a residual branch."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.self_attn = Attention(config)
        self.norm1 = make_norm(config.norm, config.dim)
        self.norm2 = make_norm(config.norm, config.dim)
        self.gating: nn.Module | None = None
        if config.gating == "silu":
            feedforwards = [GatedFeedForward(config.dim, config.dim_feedforward) for _ in range(config.weight_sets)]
            self.gating = feedforwards[0] if config.schedule is None else nn.ModuleList(feedforwards)
        elif config.gating == "none":
            self.linear1 = nn.Linear(config.dim, config.dim_feedforward, bias=False)
            self.linear2 = nn.Linear(config.dim_feedforward, config.dim, bias=False)
        else:
            raise ValueError(f"unknown gating {config.gating!r}; known: silu, none")
        self.short_convs: nn.ModuleList | None = None
        if config.short_conv:
            self.short_convs = nn.ModuleList([ShortConv(config.dim, config.short_conv) for _ in range(2)])
        scale = config.layer_scale
        self.layer_scale_1 = nn.Identity() if scale is None else LayerScale(config.dim, scale)
        self.layer_scale_2 = nn.Identity() if scale is None else LayerScale(config.dim, scale)

    def _feed_forward(self, x: torch.Tensor, step: int) -> torch.Tensor:
        if self.gating is None:
            return self.linear2(F.gelu(self.linear1(x)))
        if isinstance(self.gating, nn.ModuleList):
            gating = self.gating
            return by_step(self.config.schedule, step, x, lambda index, part: gating[index](part))
        return self.gating(x)

    def forward(
        self, x: torch.Tensor, call: Call, cache: Cache | None = None, pasts: Sequence[Past] | None = None
    ) -> torch.Tensor:
        """Map `[B, T, C]` to the same shape; the caches go with it."""
        x = x + self.layer_scale_1(self.self_attn(self._near(0, self.norm1(x), pasts), call, cache))
        return x + self.layer_scale_2(self._feed_forward(self._near(1, self.norm2(x), pasts), call.step))

    def _near(self, index: int, x: torch.Tensor, pasts: Sequence[Past] | None) -> torch.Tensor:
        if self.short_convs is None:
            return x
        return self.short_convs[index](x, None if pasts is None else pasts[index])


class Transformer(nn.Module):
    """A stack of blocks.

    `checkpointing` recomputes activations in the backward pass instead of keeping them.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.checkpointing = False
        self.layers = nn.ModuleList([Block(config) for _ in range(config.num_layers)])

    def init_state(self, batch: int, max_block: int = 1, capacity: int | None = None) -> TransformerState:
        """An empty state for `batch` rows that take at most `max_block` positions a call.

        Args:
            batch: number of rows.
            max_block: the most positions one call may bring; the ring is made that much longer, so that streaming
                equals offline for ever.
            capacity: ring slots, when fewer than the context's are known to suffice (a prompt's prefill).
        """
        config, like = self.config, next(self.parameters())
        if config.schedule is not None:
            shape = config.num_heads, len(config.schedule), config.head_dim
            state = TransformerState(None, [StepKV(batch, *shape, like) for _ in self.layers])
        else:
            if capacity is None:
                if config.context is None:
                    raise ValueError("a transformer without a context needs a capacity to stream")
                capacity = config.context + max_block - 1
            pasts = 2 * len(self.layers) if config.short_conv else 0
            state = TransformerState(
                Ring(batch, capacity, config.context, like.device),
                [RingKV(batch, config.num_heads, capacity, config.head_dim, like) for _ in self.layers],
                [Past(batch, config.short_conv, config.dim, like) for _ in range(pasts)],
            )
        if self._can_plan(like):
            state.plan = StepPlan(self, batch, state)
        return state

    def _can_plan(self, like: torch.Tensor) -> bool:
        """Whether a `StepPlan` knows blocks of this shape."""
        config = self.config
        shape = config.gating == "silu" and config.norm.startswith("rms_norm") and config.layer_scale is None
        return shape and like.device.type == "cpu" and like.dtype == torch.float32

    def forward(self, x: torch.Tensor, state: TransformerState | None = None) -> torch.Tensor:
        """Map `x [B, T, C]` to the same shape; with a state, `x` goes on where the last call ended."""
        if state is None:
            return self._whole(x)
        length, ring = x.shape[1], state.ring
        step = state.caches[0].step if isinstance(state.caches[0], StepKV) else 0
        angles = None
        if ring is not None and self.config.rope:
            angles = rotary_angles(ring.positions(length), self.config.head_dim, self.config.max_period)
        # Only a plan knows which slots are in use, for which it looks at the host: a GPU keeps to static shapes.
        plan = state.plan if length == 1 and not torch.is_grad_enabled() else None
        places = ring.places() if plan is not None and ring is not None else None
        if plan is not None and ring is None:
            x = plan.walk(x[:, 0], step)[:, None]
        elif plan is not None and places is not None:
            x = plan.advance(x[:, 0], angles, places)[:, None]
        else:
            window = None if ring is None else ring.window(length)
            call = Call(angles, step=step) if window is None else Call(angles, window.mask, window.slots)
            for index, layer in enumerate(self.layers):
                x = layer(x, call, state.caches[index], state.pasts_of(index))
        state.advance(length)
        return x

    def _whole(self, x: torch.Tensor) -> torch.Tensor:
        config, length = self.config, x.shape[1]
        angles = mask = None
        if config.rope:
            angles = rotary_angles(torch.arange(length, device=x.device)[None], config.head_dim, config.max_period)
        if config.context is not None and length > config.context:
            distance = torch.arange(length, device=x.device)[:, None] - torch.arange(length, device=x.device)
            mask = (distance >= 0) & (distance < config.context)
        call = Call(angles, mask)
        for layer in self.layers:
            if self.checkpointing and self.training:
                x = checkpoint(layer, x, call, use_reentrant=False)
            else:
                x = layer(x, call)
        return x
