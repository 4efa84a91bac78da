"""Mimi, the codec of the released models, of any size (Moshi paper, section 3.3).

SEANet encoder → causal transformer at 25 Hz → learnt stride-2 convolution → split RVQ at 12.5 Hz, and the same back.
Parameter names follow the released weights but for the nesting of their convolutions; `checkpoints` maps between them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from personaplex.codec.base import Codec
from personaplex.codec.quantize import SplitRVQ
from personaplex.codec.seanet import SEANetDecoder, SEANetEncoder
from personaplex.frames import FRAME_SAMPLES
from personaplex.nn.conv import CausalConv1d, CausalConvTranspose1d
from personaplex.nn.state import State
from personaplex.nn.transformer import Transformer, TransformerConfig


@dataclass(frozen=True)
class MimiConfig:
    """Sizes of Mimi. Defaults are the released ones, of which 8 of 32 codebooks are used.

    Attributes:
        codebooks: codebooks in use, one semantic and the rest acoustic.
        card: entries of a codebook.
        codebook_dim: width of a codebook entry.
        dim: width between the SEANet ends.
        filters: width of the SEANet's outermost layer.
        ratios: strides of the SEANet decoder; the encoder has them in reverse.
        residual_layers: residual blocks per stride.
        kernel: taps of each end's first convolution.
        residual_kernel: taps in a residual block.
        last_kernel: taps of each end's last convolution.
        dilation_base: growth of the dilation from one residual block to the next.
        compress: how much narrower a residual block is inside.
        num_layers: blocks of each of the two transformers.
        num_heads: their attention heads.
        dim_feedforward: their feed-forward width.
        context: positions they see, two for each frame.
        max_period: their longest rotary period.
        layer_scale: their initial LayerScale.
    """

    codebooks: int = 8
    card: int = 2048
    codebook_dim: int = 256
    dim: int = 512
    filters: int = 64
    ratios: tuple[int, ...] = (8, 6, 5, 4)
    residual_layers: int = 1
    kernel: int = 7
    residual_kernel: int = 3
    last_kernel: int = 3
    dilation_base: int = 2
    compress: int = 2
    num_layers: int = 8
    num_heads: int = 8
    dim_feedforward: int = 2048
    context: int = 250
    max_period: float = 10_000.0
    layer_scale: float = 0.01

    def __post_init__(self) -> None:
        hop = math.prod(self.ratios)
        if FRAME_SAMPLES % hop:
            raise ValueError(
                f"the strides {list(self.ratios)} make {hop} samples, which do not divide a frame's {FRAME_SAMPLES}"
            )
        if self.codebooks < 2:
            raise ValueError(f"{self.codebooks} codebook is not enough: one is semantic, at least one acoustic")

    @property
    def stride(self) -> int:
        """Transformer positions in one frame."""
        return FRAME_SAMPLES // math.prod(self.ratios)

    @property
    def transformer(self) -> TransformerConfig:
        """Shape of either transformer."""
        return TransformerConfig(
            dim=self.dim,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            dim_feedforward=self.dim_feedforward,
            context=self.context,
            max_period=self.max_period,
            gating="none",
            norm="layer_norm",
            layer_scale=self.layer_scale,
        )

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> MimiConfig:
        """Read the fields out of a mapping, passing over others. Raises ValueError when they contradict one another."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in config.items() if name in known}
        if "ratios" in values:
            values["ratios"] = tuple(values["ratios"])
        return cls(**values)


class MimiState(State):
    """State of one side: its SEANet end, its transformer, its change of rate."""

    def __init__(self, seanet: State, transformer: State, resample: State):
        self.seanet = seanet
        self.transformer = transformer
        self.resample = resample


class Mimi(Codec):
    """Mimi.

    Both sides stream block by block. Attention sees exactly `context` positions however long the stream gets: the ring
    buffers are as much longer as a block needs.

    Args:
        config: its sizes.
    """

    def __init__(self, config: MimiConfig):
        super().__init__()
        self.config = config
        self.codebooks = config.codebooks
        self.card = config.card
        dim, stride = config.dim, config.stride
        ends = (
            dim, config.filters, config.ratios, config.residual_layers, config.kernel, config.residual_kernel,
            config.last_kernel, config.dilation_base, config.compress,
        )  # fmt: skip
        self.encoder = SEANetEncoder(*ends)
        self.encoder_transformer = Transformer(config.transformer)
        self.downsample = CausalConv1d(dim, dim, 2 * stride, stride=stride, bias=False, pad="replicate")
        self.quantizer = SplitRVQ(dim, config.codebook_dim, config.card, semantic=1, acoustic=config.codebooks - 1)
        self.upsample = CausalConvTranspose1d(dim, dim, 2 * stride, stride=stride, groups=dim, bias=False)
        self.decoder_transformer = Transformer(config.transformer)
        self.decoder = SEANetDecoder(*ends)

    def init_encoder_state(self, batch: int, max_frames: int = 1) -> MimiState:
        """Empty encoder state for `batch` rows and at most `max_frames` frames a call."""
        block = max_frames * self.config.stride
        return MimiState(
            self.encoder.init_state(batch),
            self.encoder_transformer.init_state(batch, max_block=block),
            self.downsample.init_state(batch),
        )

    def init_decoder_state(self, batch: int, max_frames: int = 1) -> MimiState:
        """Empty decoder state for `batch` rows and at most `max_frames` frames a call."""
        block = max_frames * self.config.stride
        return MimiState(
            self.decoder.init_state(batch),
            self.decoder_transformer.init_state(batch, max_block=block),
            self.upsample.init_state(batch),
        )

    def latents(self, pcm: torch.Tensor, state: MimiState | None = None) -> torch.Tensor:
        """Sound `[B, 1, 1920 * T]` → the vectors `[B, dim, T]` that are then quantized.

        Raises:
            ValueError: when `pcm` is not whole frames of one channel.
        """
        self.check_pcm(pcm)
        x = self.encoder(pcm, None if state is None else state.seanet)
        x = self.encoder_transformer(x.transpose(1, 2), None if state is None else state.transformer)
        return self.downsample(x.transpose(1, 2), None if state is None else state.resample)

    def encode(self, pcm: torch.Tensor, state: MimiState | None = None) -> torch.Tensor:  # type: ignore[override]
        """Sound float `[B, 1, 1920 * T]` → codes int64 `[B, K, T]`.

        Raises:
            ValueError: when `pcm` is not whole frames of one channel.
        """
        return self.quantizer.encode(self.latents(pcm, state))

    def decode(self, codes: torch.Tensor, state: MimiState | None = None) -> torch.Tensor:  # type: ignore[override]
        """Codes int64 `[B, K, T]` → sound float `[B, 1, 1920 * T]`.

        Raises:
            ValueError: when `codes` does not hold K codes a frame.
        """
        self.check_codes(codes)
        x = self.upsample(self.quantizer.decode(codes), None if state is None else state.resample)
        x = self.decoder_transformer(x.transpose(1, 2), None if state is None else state.transformer)
        return self.decoder(x.transpose(1, 2), None if state is None else state.seanet)
