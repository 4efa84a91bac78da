"""How a codec learns pitch: its codebook from tracked voices, its reader from how far it is from them."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from personaplex.codec.pitch import GRID, STEPS, VOICE, heights
from personaplex.codec.quantize import Codebook


def fit_pitch(codebook: Codebook, frames: torch.Tensor, rounds: int = 25, seed: int = 0) -> None:
    """Put a codebook's entries where frames of pitch are (k-means), the first one where there is no voice.

    Each entry either has a voice at a point or not: a half of one would be a pitch that nobody has.

    Args:
        codebook: of vectors as `personaplex.codec.pitch.heights` gives them.
        frames: float32 `[N, 4]`, Hz, 0 where unvoiced.
        rounds: of k-means.
        seed: of the frames to begin with.
    """
    vectors = heights(frames)
    card, width = codebook.entries.shape
    random = torch.Generator().manual_seed(seed)
    entries = vectors[torch.randint(len(vectors), (card,), generator=random)]
    entries += 0.02 * torch.randn(entries.shape, generator=random)
    for _ in range(rounds):
        entries[0] = 0.0
        codebook.entries.copy_(entries)
        chosen = codebook.nearest(vectors[None])[0]
        counts = torch.bincount(chosen, minlength=card)
        sums = torch.zeros(card, width).index_add_(0, chosen, vectors)
        empty = (counts == 0).nonzero()[:, 0]
        sums[empty] = vectors[torch.randint(len(vectors), (len(empty),), generator=random)]
        entries = sums / counts.clamp(min=1)[:, None]
    height, voice = entries.chunk(2, dim=-1)
    share = voice / VOICE  # of the frames of an entry, that have a voice at a point
    height = torch.where(share > 0.5, height / share.clamp(min=0.5), 0.0)
    codebook.entries.copy_(torch.cat([height, (share > 0.5) * VOICE], dim=-1))
    codebook.entries[0] = 0.0


def pitch_losses(voice: torch.Tensor, logits: torch.Tensor, truth: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far a reader's logits are from true heights `[B, T, 2 * POINTS]`: nats of the height, and of the voice."""
    height, voiced = (part.flatten(1) for part in truth.chunk(2, dim=-1))
    voiced = (voiced > 0).float()
    aim = torch.softmax(-(((height[..., None] - torch.tensor(GRID, device=height.device)) * STEPS).square()), dim=-1)
    nats = -(aim * logits.float().log_softmax(dim=-1)).sum(dim=-1)
    return {
        "height": (nats * voiced).sum() / voiced.sum().clamp(min=1),
        "voicing": F.binary_cross_entropy_with_logits(voice.float(), voiced),
    }
