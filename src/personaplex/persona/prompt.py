"""The hybrid system prompt: voice and role written on the grid before the first live frame.

PersonaPlex paper (arXiv 2602.06053), section 3: voice, silence, role text, silence on the agent's streams, a sine on
the user's. Training and serving both build their prompts here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional as F

from personaplex.frames import FRAME_RATE, UNGENERATED, Layout, lag

SILENT_FRAMES = int(0.5 * FRAME_RATE)  # 6, after the voice and after the role


@dataclass(frozen=True, eq=False)
class Prompt:
    """The columns that a model reads before a conversation.

    Attributes:
        columns: int64 `[S, C + max_delay]`: C whole columns, then those that delayed streams have begun to write, with
            `UNGENERATED` in the cells that are not known.
        embeddings: `[R, dim]`, summed input embeddings that stand for R columns before those, or None.
    """

    columns: torch.Tensor
    embeddings: torch.Tensor | None = None

    def length(self, layout: Layout) -> int:
        """Columns P that are read; the conversation's first frame is column P."""
        return self.columns.shape[1] - layout.max_delay + (0 if self.embeddings is None else len(self.embeddings))

    @cached_property
    def digest(self) -> str:
        """A name for what is in it: equal prompts have equal digests."""
        content = hashlib.sha256(self.columns.cpu().numpy().tobytes())
        if self.embeddings is not None:
            content.update(self.embeddings.cpu().float().numpy().tobytes())
        return content.hexdigest()


def prompt_frames(
    voice: torch.Tensor, role: Sequence[int], layout: Layout, silence: torch.Tensor, sine: torch.Tensor
) -> torch.Tensor:
    """Lay a voice sample and a role on the grid.

    The voice sample's first frame is left out: its column is the initial column, as in the released models. Where the
    model has a stream of the user's words it is padding: nobody has spoken yet.

    Args:
        voice: codes of the voice sample, int64 `[K, N]`, N of at least 1.
        role: text ids of the wrapped role, one for each frame; may be empty.
        layout: the model's layout.
        silence: codes of a silent frame, int64 `[K]`.
        sine: codes of a 440 Hz frame, int64 `[K]`.

    Returns:
        int64 `[S, N - 1 + 6 + len(role) + 6]`.
    """
    spoken = voice.shape[1] - 1
    length = spoken + SILENT_FRAMES + len(role) + SILENT_FRAMES
    frames = torch.empty(layout.streams, length, dtype=torch.long)
    frames[layout.agent] = silence[:, None]
    frames[layout.agent, :spoken] = voice[:, 1:]
    frames[layout.user] = sine[:, None]
    frames[list(layout.texts)] = layout.text_pad
    start = spoken + SILENT_FRAMES
    frames[layout.text, start : start + len(role)] = torch.as_tensor(role, dtype=torch.long)
    return frames


def prompt_of_frames(frames: torch.Tensor, layout: Layout) -> Prompt:
    """The prompt that writes `frames`, int64 `[S, T]`, from column 1 on; T may be 0."""
    return Prompt(lag(F.pad(frames, (0, layout.max_delay), value=UNGENERATED)[None], layout)[0])


def prompt_of_embeddings(embeddings: torch.Tensor, cache: torch.Tensor, frames: torch.Tensor, layout: Layout) -> Prompt:
    """The prompt that replays a voice's embeddings, restores the columns it left behind, and writes frames after them.

    Args:
        embeddings: `[N - 1, dim]`, of columns 0 to N - 2.
        cache: int64 `[S, W]`, W of at least `max_delay + 3`: columns N - 1 and, in delayed streams, those after it;
            column c is in slot `c % W`.
        frames: int64 `[S, T]`, what follows the voice.
        layout: the model's layout.
    """
    first = len(embeddings)  # the column that the cache restores
    length = 1 + frames.shape[1]
    columns = torch.full((layout.streams, length + layout.max_delay), UNGENERATED, dtype=torch.long)
    for stream, delay in enumerate(layout.delays):
        for column in range(delay + 1):
            columns[stream, column] = cache[stream, (first + column) % cache.shape[1]]
        columns[stream, 1 + delay : length + delay] = frames[stream]
    return Prompt(columns, embeddings)
