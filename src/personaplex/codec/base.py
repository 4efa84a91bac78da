"""What every codec offers: 24 kHz sound to codes at 12.5 frames a second and back, whole or frame by frame."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from personaplex.frames import FRAME_SAMPLES
from personaplex.nn.state import State


class Codec(nn.Module, ABC):
    """A neural audio codec over frames of 80 ms.

    One implementation serves both ways of use: without a state a call starts at the beginning of the sound, with one it
    goes on where the last call of that state ended. Streaming equals offline, whatever the block sizes.

    A state holds one row per conversation: `state.reset(rows)` begins anew in some rows, `state.set_active(mask)` lets
    the others keep their state through the next calls (what those calls return for them means nothing).

    Attributes:
        codebooks: K, codes per frame, the semantic one first.
        card: entries of a codebook; codes are `0 <= code < card`.
    """

    codebooks: int
    card: int

    @abstractmethod
    def encode(self, pcm: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Sound float `[B, 1, 1920 * T]` in -1..1 at 24 kHz → codes int64 `[B, K, T]`.

        Raises:
            ValueError: when `pcm` is not whole frames of one channel.
        """

    @abstractmethod
    def decode(self, codes: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Codes int64 `[B, K, T]` → sound float `[B, 1, 1920 * T]`.

        Raises:
            ValueError: when `codes` does not hold K codes a frame.
        """

    @abstractmethod
    def init_encoder_state(self, batch: int, max_frames: int = 1) -> State:
        """Empty encoder state for `batch` rows and at most `max_frames` frames a call."""

    @abstractmethod
    def init_decoder_state(self, batch: int, max_frames: int = 1) -> State:
        """Empty decoder state for `batch` rows and at most `max_frames` frames a call."""

    def check_pcm(self, pcm: torch.Tensor) -> None:
        """Raise ValueError unless `pcm` is `[B, 1, 1920 * T]` with T >= 1."""
        if pcm.dim() != 3 or pcm.shape[1] != 1 or pcm.shape[2] == 0 or pcm.shape[2] % FRAME_SAMPLES:
            raise ValueError(f"sound must be [B, 1, {FRAME_SAMPLES} * T] with T of at least 1; got {list(pcm.shape)}")

    def check_codes(self, codes: torch.Tensor) -> None:
        """Raise ValueError unless `codes` is `[B, K, T]` with T >= 1."""
        if codes.dim() != 3 or codes.shape[1] != self.codebooks or codes.shape[2] == 0:
            raise ValueError(f"codes must be [B, {self.codebooks}, T] with T of at least 1; got {list(codes.shape)}")
