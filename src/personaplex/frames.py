"""The grid of frames: what one 80 ms frame of a conversation holds, and in which order.

Everything else in the program reads its counts, special ids, delays and rates from here. This module knows tensors of
token ids only: nothing of sound, of text, of networks or of files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

SAMPLE_RATE = 24_000  # Hz, of every waveform inside the program
FRAME_SAMPLES = 1_920  # samples in one frame
FRAME_RATE = SAMPLE_RATE / FRAME_SAMPLES  # 12.5 frames a second
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE  # 0.08 s
PITCH_SAMPLES = FRAME_SAMPLES // 4  # from one value of a voice's pitch to the next, 20 ms
PITCH_RANGE = 60.0, 450.0  # Hz, in which voices are

ZERO = -1  # a token that contributes a zero embedding and is never a target
UNGENERATED = -2  # a cell that nothing was written to yet


@dataclass(frozen=True)
class Layout:
    """How the streams of a model lie on the grid.

    Streams are ordered agent text, agent codebooks, user codebooks (Moshi paper, section 3.4.4, table 1), and last,
    where a model has it, the text of what it heard: the user's words, in the vocabulary and with the padding of the
    agent's text.

    Attributes:
        codebooks: audio codebooks per speaker.
        card: entries in one codebook; id `card` is the initial token.
        text_card: entries of the text vocabulary; id `text_card` is the initial token.
        delays: frames by which each stream is written later than it is meant, one per stream; 0 for text.
        text_pad: text id of a frame in which no word piece starts.
        text_end_pad: text id of the frame before a word ("EPAD").
        heard: whether there is a stream of the user's words; the released models have none.
    """

    codebooks: int
    card: int
    text_card: int
    delays: tuple[int, ...]
    text_pad: int = 3
    text_end_pad: int = 0
    heard: bool = False

    def __post_init__(self) -> None:
        if len(self.delays) != self.streams:
            raise ValueError(f"the layout has {self.streams} streams but {len(self.delays)} delays")
        if min(self.delays) < 0 or any(self.delays[stream] for stream in self.texts):
            raise ValueError("delays must not be negative, and a text stream's delay must be 0")

    @property
    def streams(self) -> int:
        """Number of token streams: text, the agent's codebooks, the user's codebooks, and what was heard."""
        return 1 + 2 * self.codebooks + self.heard

    @property
    def text(self) -> int:
        """Index of the agent's text stream."""
        return 0

    @property
    def agent(self) -> slice:
        """The agent's audio streams."""
        return slice(1, 1 + self.codebooks)

    @property
    def user(self) -> slice:
        """The user's audio streams."""
        return slice(1 + self.codebooks, 1 + 2 * self.codebooks)

    @property
    def heard_text(self) -> slice:
        """The stream of the user's words: one, or none where the model has none."""
        return slice(1 + 2 * self.codebooks, self.streams)

    @property
    def texts(self) -> tuple[int, ...]:
        """Indices of the text streams."""
        return (self.text, *range(self.streams)[self.heard_text])

    @property
    def max_delay(self) -> int:
        """Frames until the slowest stream of a frame is written."""
        return max(self.delays)

    def initial(self, device: torch.device | str | None = None) -> torch.Tensor:
        """The column before the first frame: int64 `[S]`, each stream's initial token."""
        column = torch.full((self.streams,), self.card, dtype=torch.long, device=device)
        column[list(self.texts)] = self.text_card
        return column


def lag(frames: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Write frames as the columns that the model reads.

    Column 0 holds the initial tokens; column `p` of a stream with delay `d` holds its frame `p - 1 - d`, or the initial
    token before that stream begins. The last `d` frames of a delayed stream fall off the end.

    Args:
        frames: int64 `[B, S, T]`.
        layout: the model's layout.

    Returns:
        int64 `[B, S, T + 1]`.
    """
    batch, streams, length = frames.shape
    columns = layout.initial(frames.device).view(1, streams, 1).repeat(batch, 1, length + 1)
    for stream, delay in enumerate(layout.delays):
        if delay < length:
            columns[:, stream, 1 + delay :] = frames[:, stream, : length - delay]
    return columns


def undelay(values: torch.Tensor, delays: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Realign values predicted on delayed columns with the frames they belong to.

    Args:
        values: `[B, K, T, ...]`, for column `p + 1` at index `p`.
        delays: one delay for each of the K streams.

    Returns:
        The realigned values (zeros where a stream's last `d` frames were never predicted) and a bool mask `[K, T]` of
        what is valid.
    """
    length = values.shape[2]
    out = torch.zeros_like(values)
    mask = torch.zeros(values.shape[1], length, dtype=torch.bool, device=values.device)
    for stream, delay in enumerate(delays):
        if delay < length:
            out[:, stream, : length - delay] = values[:, stream, delay:]
            mask[stream, : length - delay] = True
    return out, mask
