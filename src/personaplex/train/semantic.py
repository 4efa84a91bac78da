"""What codebook 0 must hold: something that a linear map can read from its entry alone.

Either the phones, which the synthesiser knows, or the features of a speech encoder, as Mimi distils WavLM (Moshi paper,
section 3.3.1). Knows no teacher, only what a pack has of it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.train.sound import PHONES, UNLABELLED, SoundPack


class PhoneReader(nn.Module):
    """Reads the two phones of a frame from the semantic part of its latent."""

    def __init__(self, dim: int, phones: int):
        super().__init__()
        self.linear = nn.Linear(dim, 2 * phones)
        self.phones = phones

    def forward(self, semantic: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Losses of `semantic [B, dim, T]` against phone labels `[B, 2 * T]`."""
        logits = self.linear(semantic.transpose(1, 2)).unflatten(2, (2, self.phones)).flatten(1, 2)
        known = labels != UNLABELLED
        accuracy = (logits.argmax(-1)[known] == labels[known]).float().mean()
        return {"phone": F.cross_entropy(logits.float()[known], labels[known]), "phone_accuracy": accuracy}


class FeatureReader(nn.Module):
    """Reads a speech encoder's features of a frame from the semantic part of its latent."""

    def __init__(self, dim: int, width: int):
        super().__init__()
        self.linear = nn.Linear(dim, width)

    def forward(self, semantic: torch.Tensor, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Cosine distance of `semantic [B, dim, T]`, mapped, from features `[B, T, width]`, 0 to 2."""
        guess = self.linear(semantic.transpose(1, 2)).float()
        return {"distillation": 1 - F.cosine_similarity(guess, features, dim=-1).mean()}


def semantic_reader(dim: int, pack: SoundPack) -> PhoneReader | FeatureReader:
    """The reader of what a pack's batches hold, from latents of width `dim`."""
    if pack.teacher == PHONES:
        return PhoneReader(dim, len(pack.phones))
    return FeatureReader(dim, pack.width)
