"""Who will speak in the next two seconds: a target for training that no conversation needs.

Voice activity projection (Ekstedt & Skantze 2022, arXiv 2205.09812), its stretches on our frames. The map that tells
it from hidden states is trained beside the model and is not exported.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.train.dialogues import Batch

FORESIGHT_FRAMES = (0, 2, 7, 15, 25)
"""Borders of the stretches of the future whose activity is foreseen: 0.16, 0.56, 1.2 and 2 s ahead."""


def foresight_map(dim: int) -> nn.Linear:
    """The map from hidden states `[N, dim]` to the logits of `future_activity`, `[N, 8]`."""
    return nn.Linear(dim, 2 * (len(FORESIGHT_FRAMES) - 1))


def future_activity(batch: Batch) -> torch.Tensor:
    """Who will speak: for either speaker (agent first), the share of each stretch of the future, float32 `[B, T, 8]`.

    It makes telling a pause from a turn's end something to learn at every frame, not once a turn. What the agent says
    by mistake (its text is not learnt there) is not foreseen.
    """
    shares = []
    for speech in (batch.speech & batch.text_loss, batch.user_speech):
        total = F.pad(speech.float().cumsum(dim=1), (1, FORESIGHT_FRAMES[-1]), mode="replicate")
        total[:, 0] = 0.0
        length = speech.shape[1]
        for start, end in pairwise(FORESIGHT_FRAMES):
            shares.append((total[:, end : end + length] - total[:, start : start + length]) / (end - start))
    return torch.stack(shares, dim=-1)
