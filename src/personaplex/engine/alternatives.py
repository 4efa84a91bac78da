"""Between which text tokens the agent chose, for a trace that asks. Knows logits; does not know what the tokens say."""

from __future__ import annotations

import torch

from personaplex.engine.stepper import Choice

Alternatives = tuple[tuple[int, float], ...]
"""Ids of text tokens and their probabilities, the likeliest first."""


class Watched:
    """A choice of tokens that remembers what else its last text token could have been.

    The probabilities are the model's own, before temperature and top-k. What is chosen stays the same.

    Args:
        choice: what really chooses.
        count: how many tokens to remember.
    """

    def __init__(self, choice: Choice, count: int):
        self._choice, self._count = choice, count
        self._likeliest: tuple[torch.Tensor, torch.Tensor] | None = None

    def text(self, logits: torch.Tensor, luck: torch.Tensor) -> torch.Tensor:
        """Choose text tokens int64 `[B]` from logits `[B, text_card]`, and remember the likeliest."""
        chances, ids = logits.float().softmax(dim=-1).topk(min(self._count, logits.shape[-1]), dim=-1)
        self._likeliest = ids, chances
        return self._choice.text(logits, luck)

    def audio(self, logits: torch.Tensor, luck: torch.Tensor) -> torch.Tensor:
        """Choose audio codes int64 `[B]`."""
        return self._choice.audio(logits, luck)

    def rows(self) -> list[Alternatives]:
        """What each row could have said in the text that was chosen last."""
        assert self._likeliest is not None, "nothing was chosen yet"
        ids, chances = (tensor.tolist() for tensor in self._likeliest)
        return [tuple(zip(*row, strict=True)) for row in zip(ids, chances, strict=True)]
