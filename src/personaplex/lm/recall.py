"""The last word pieces of a text stream, at every column: what was just said, however much padding lies between.

A text stream is mostly padding, since words last several frames. Attention must first find the pieces of a word before
it can look up, in a role, what follows them there; small models have no layers to spare for that. Knows the grid only.
"""

from __future__ import annotations

import torch

from personaplex.frames import ZERO, Layout


def recall(columns: torch.Tensor, layout: Layout, count: int, before: torch.Tensor | None = None) -> torch.Tensor:
    """The last `count` pieces of each text stream, each column's own included.

    Args:
        columns: int64 `[B, S, T]`.
        layout: the model's layout.
        count: pieces of each text stream.
        before: int64 `[B, N]`, what was recalled at the column before these; None where there is none.

    Returns:
        int64 `[B, N, T]`, N being `count` for each text stream in turn, newest first; `ZERO` where there was none yet.
    """
    batch, _, length = columns.shape
    streams = list(layout.texts)
    tokens = columns[:, streams]
    if before is None:
        before = columns.new_full((batch, len(streams) * count), ZERO)
    tokens = torch.cat([before.view(batch, len(streams), count).flip(2), tokens], dim=2)
    is_piece = (tokens >= 0) & (tokens < layout.text_card)
    is_piece &= (tokens != layout.text_pad) & (tokens != layout.text_end_pad)
    number = is_piece.cumsum(dim=2)  # of the piece that a column holds, counted from 1
    places = tokens.new_full((batch, len(streams), count + length + 1), ZERO)
    places.scatter_(2, number * is_piece, torch.where(is_piece, tokens, ZERO))  # all others share place 0
    last = number[:, :, None, count:] - torch.arange(count, device=tokens.device)[:, None]
    found = places[:, :, None].expand(-1, -1, count, -1).gather(3, last.clamp(min=0))
    return found.flatten(1, 2)
