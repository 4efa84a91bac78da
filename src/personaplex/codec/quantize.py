"""Split residual vector quantization: a vector per frame to K codes and back (Moshi paper, section 3.3.2)."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional as F


class Codebook(nn.Module):
    """`card` vectors; a code is the index of the nearest one.

    The vectors are a buffer `entries [card, codebook_dim]`: whoever trains them decides how they move.
    """

    def __init__(self, card: int, codebook_dim: int):
        super().__init__()
        self.entries: torch.Tensor
        self.register_buffer("entries", torch.randn(card, codebook_dim) * codebook_dim**-0.5)

    def nearest(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors `[B, T, codebook_dim]` → codes int64 `[B, T]`, by Euclidean distance in float32."""
        entries = self.entries.float()
        half_squares = entries.square().sum(dim=1) / 2
        return (F.linear(x.float(), entries) - half_squares).argmax(dim=-1)

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes int64 `[B, T]` → vectors `[B, T, codebook_dim]`."""
        return F.embedding(codes, self.entries)


class RVQ(nn.Module):
    """Residual quantizer: each codebook codes what those before it left over.

    Args:
        dim: width of the vectors to quantize.
        codebook_dim: width of a codebook entry.
        card: entries of a codebook.
        codebooks: number of codebooks.
    """

    def __init__(self, dim: int, codebook_dim: int, card: int, codebooks: int):
        super().__init__()
        self.input_proj = nn.Conv1d(dim, codebook_dim, 1, bias=False)
        self.output_proj = nn.Conv1d(codebook_dim, dim, 1, bias=False)
        self.codebooks = nn.ModuleList([Codebook(card, codebook_dim) for _ in range(codebooks)])

    def _books(self) -> list[Codebook]:
        return cast(list[Codebook], list(self.codebooks))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors `[B, dim, T]` → codes int64 `[B, codebooks, T]`."""
        residual = F.linear(x.transpose(1, 2), self.input_proj.weight[..., 0])  # on a CPU faster than conv1d
        codes = []
        for codebook in self._books():
            chosen = codebook.nearest(residual)
            residual = residual - codebook.lookup(chosen)
            codes.append(chosen)
        return torch.stack(codes, dim=1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes int64 `[B, codebooks, T]` → vectors `[B, dim, T]`."""
        first, *rest = self._books()
        vectors = first.lookup(codes[:, 0])
        for index, codebook in enumerate(rest, start=1):
            vectors = vectors + codebook.lookup(codes[:, index])
        return F.linear(vectors, self.output_proj.weight[..., 0]).transpose(1, 2)


class SplitRVQ(nn.Module):
    """Two residual quantizers side by side on the same vector: the semantic one and the acoustic one.

    Args:
        dim: width of the vectors to quantize.
        codebook_dim: width of a codebook entry.
        card: entries of a codebook.
        semantic: codebooks of the first, which hold what is said.
        acoustic: codebooks of the second, which hold how it sounds.
    """

    def __init__(self, dim: int, codebook_dim: int, card: int, semantic: int = 1, acoustic: int = 7):
        super().__init__()
        self.semantic = semantic
        self.rvq_first = RVQ(dim, codebook_dim, card, semantic)
        self.rvq_rest = RVQ(dim, codebook_dim, card, acoustic)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors `[B, dim, T]` → codes int64 `[B, semantic + acoustic, T]`."""
        return torch.cat([self.rvq_first.encode(x), self.rvq_rest.encode(x)], dim=1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes int64 `[B, semantic + acoustic, T]` → vectors `[B, dim, T]`."""
        return self.rvq_first.decode(codes[:, : self.semantic]) + self.rvq_rest.decode(codes[:, self.semantic :])
