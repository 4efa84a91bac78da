"""How codebooks learn: moving averages of the vectors that fall to each entry, entries nobody uses drawn anew.

van den Oord et al. 2017 (arXiv 1711.00937), appendix A; residual form as in SoundStream (arXiv 2107.03312).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional as F

from personaplex.codec.quantize import RVQ, Codebook, SplitRVQ

_DECAY = 0.99
_DEAD = 0.01  # an entry that fewer vectors a step fall to, on average, is drawn anew
_FRESH = 0.2  # vectors a step that a new entry is taken to have had


class Quantized(NamedTuple):
    """What a training pass through the quantizer gives.

    Attributes:
        first: the semantic part, `[B, dim, T]`.
        rest: the acoustic part, `[B, dim, T]`.
        commitment: scalar loss that draws the vectors to their entries.
        codes: int64 `[B, K, T]`.
    """

    first: torch.Tensor
    rest: torch.Tensor
    commitment: torch.Tensor
    codes: torch.Tensor


def books_of(rvq: RVQ) -> list[Codebook]:
    """The codebooks of a residual quantizer, by their own type."""
    return [book for book in rvq.codebooks if isinstance(book, Codebook)]


class CodebookTrainer:
    """Moves the codebooks of one split quantizer.

    Args:
        quantizer: whose `entries` are moved in place.
        seed: of the draws that replace unused entries.
    """

    def __init__(self, quantizer: SplitRVQ, seed: int = 0):
        self.quantizer = quantizer
        self.books = [*books_of(quantizer.rvq_first), *books_of(quantizer.rvq_rest)]
        self.counts = [torch.zeros(book.entries.shape[0]) for book in self.books]
        self.sums = [torch.zeros_like(book.entries) for book in self.books]
        self.started = False
        self._random = torch.Generator().manual_seed(seed)

    def state_dict(self) -> dict[str, torch.Tensor | bool]:
        """What a checkpoint needs."""
        return {
            "counts": torch.stack(self.counts),
            "sums": torch.stack(self.sums),
            "started": self.started,
            "random": self._random.get_state(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Take back what `state_dict` gave."""
        self.counts, self.sums = list(state["counts"].unbind()), list(state["sums"].unbind())
        self.started = bool(state["started"])
        self._random.set_state(state["random"])

    def go_on(self) -> None:
        """Begin with the entries that the codebooks have, instead of new ones."""
        for book, counts, sums in zip(self.books, self.counts, self.sums, strict=True):
            counts.fill_(_FRESH)
            sums.copy_(book.entries * _FRESH)
        self.started = True

    def __call__(self, latents: torch.Tensor) -> Quantized:
        """Quantize `[B, dim, T]`, passing gradients straight through, and move the codebooks."""
        quantizer = self.quantizer
        first, first_loss, first_codes = self._residual(quantizer.rvq_first, 0, latents)
        rest, rest_loss, rest_codes = self._residual(quantizer.rvq_rest, quantizer.semantic, latents)
        self.started = True
        return Quantized(first, rest, first_loss + rest_loss, torch.cat([first_codes, rest_codes], dim=1))

    def _residual(self, rvq: RVQ, index: int, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        projected = rvq.input_proj(latents).transpose(1, 2).float()
        residual, loss, codes = projected, latents.new_zeros(()), []
        for offset, book in enumerate(books_of(rvq)):
            if not self.started:
                self._start(index + offset, residual.detach())
            chosen = book.nearest(residual.detach())
            entry = book.lookup(chosen)
            loss = loss + F.mse_loss(residual, entry)
            self._move(index + offset, residual.detach(), chosen)
            residual = residual - entry
            codes.append(chosen)
        straight = projected - residual.detach()  # equals the sum of the entries, with the gradient of `projected`
        return rvq.output_proj(straight.transpose(1, 2)), loss, torch.stack(codes, dim=1)

    def _draw(self, vectors: torch.Tensor, count: int) -> torch.Tensor:
        flat = vectors.flatten(0, 1)
        chosen = flat[torch.randint(len(flat), (count,), generator=self._random)]
        return chosen + 0.05 * flat.std() * torch.randn(chosen.shape, generator=self._random)

    def _start(self, index: int, vectors: torch.Tensor) -> None:
        """Begin with vectors of the first batch."""
        book = self.books[index]
        book.entries.copy_(self._draw(vectors, len(book.entries)))
        self.counts[index].fill_(_FRESH)
        self.sums[index].copy_(book.entries * _FRESH)

    def _move(self, index: int, vectors: torch.Tensor, chosen: torch.Tensor) -> None:
        book, counts, sums = self.books[index], self.counts[index], self.sums[index]
        flat, picks = vectors.flatten(0, 1), chosen.flatten()
        counts.mul_(_DECAY).add_(torch.bincount(picks, minlength=len(counts)).float(), alpha=1 - _DECAY)
        sums.mul_(_DECAY).index_add_(0, picks, flat, alpha=1 - _DECAY)
        dead = (counts < _DEAD).nonzero()[:, 0]
        if len(dead):
            sums[dead] = self._draw(vectors, len(dead)) * _FRESH
            counts[dead] = _FRESH
        book.entries.copy_(sums / counts[:, None])
