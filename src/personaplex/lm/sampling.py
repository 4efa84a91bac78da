"""Choosing tokens from logits, greedily or by temperature and top-k, for conversations that never share their luck.

Chance enters as one uniform number for each token, drawn by each conversation from a generator of its own; the rest is
arithmetic row by row, so that a row's token depends on its own logits, settings and number alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Sampling:
    """How one conversation chooses its tokens. Defaults are the published ones.

    Attributes:
        temp_audio: temperature of the audio codes.
        topk_audio: candidates of the audio codes, the likeliest ones; 0 for all.
        temp_text: temperature of the text tokens.
        temp_word: temperature among the words where one is due, which `temp_text` then decides alone: a model may be
            certain of its words and yet need some luck to begin. 0 for no temperature of their own.
        topk_text: candidates of the text tokens; 0 for all.
        greedy: always the likeliest token; the other fields then mean nothing.
        padding_bonus: added to the logits of padding in the text stream; below 0 a model that hesitates speaks sooner.
    """

    temp_audio: float = 0.8
    topk_audio: int = 250
    temp_text: float = 0.7
    topk_text: int = 25
    greedy: bool = False
    temp_word: float = 0.0
    padding_bonus: float = 0.0

    def __post_init__(self) -> None:
        if not (self.temp_audio > 0 and self.temp_text > 0):  # also refuses NaN
            raise ValueError("a temperature must be above 0; for no randomness at all choose greedy")
        if not self.temp_word >= 0:
            raise ValueError("the words' own temperature must be above 0, or 0 for none of their own")
        if not math.isfinite(self.padding_bonus):
            raise ValueError("the bonus of padding must be a number")
        if self.topk_audio < 0 or self.topk_text < 0:
            raise ValueError("top-k must be at least 1, or 0 for all tokens")

    def but(self, **wishes: Any) -> Sampling:
        """These settings with others in their place; a wish that is None is none."""
        return Sampling(**asdict(self) | {name: wish for name, wish in wishes.items() if wish is not None})


class Chooser:
    """The settings of a batch of rows, as tensors.

    Args:
        rows: one `Sampling` for each row.
        device: where the logits are.
        pads: ids of text tokens that are no words; needed for `temp_word` and `padding_bonus`.
        unsaid: ids of text tokens that are never chosen, such as a prompt's tags.
    """

    def __init__(
        self,
        rows: Sequence[Sampling],
        device: torch.device | str | None = None,
        pads: Sequence[int] = (),
        unsaid: Sequence[int] = (),
    ):
        self._all_greedy = all(row.greedy for row in rows)
        self._any_greedy = any(row.greedy for row in rows)
        self._greedy = torch.tensor([row.greedy for row in rows], device=device)
        self._text = Limits([row.temp_text for row in rows], [row.topk_text for row in rows], device)
        self._audio = Limits([row.temp_audio for row in rows], [row.topk_audio for row in rows], device)
        self._pads = list(pads)
        self._unsaid = torch.tensor(list(unsaid), device=device) if len(unsaid) else None
        self._word: torch.Tensor | None = None
        if any(row.temp_word and not row.greedy for row in rows):
            assert self._pads, "to tell words from padding, the padding must be known"
            self._word = torch.tensor([row.temp_word or row.temp_text for row in rows], device=device)[:, None]
            self._has_word = torch.tensor([row.temp_word > 0 for row in rows], device=device)[:, None]
        self._bonus: torch.Tensor | None = None
        if any(row.padding_bonus and not row.greedy for row in rows):
            assert self._pads, "to add to padding, it must be known"
            bonuses = [0.0 if row.greedy else row.padding_bonus for row in rows]
            self._bonus = torch.tensor(bonuses, device=device)[:, None]

    def text(self, logits: torch.Tensor, luck: torch.Tensor) -> torch.Tensor:
        """Choose text tokens int64 `[B]` from logits `[B, text_card]` and uniform numbers `[B]` in 0 ≤ u < 1."""
        if self._unsaid is not None:
            logits = logits.index_fill(1, self._unsaid, float("-inf"))
        if self._bonus is not None:
            logits = logits.float().clone()
            logits[:, self._pads] += self._bonus
        if self._word is not None:
            apart = words_apart(logits, self._text.temperature, self._word, self._pads)
            logits = torch.where(self._has_word & ~self._greedy[:, None], apart, logits.float())
        return self._choose(logits, self._text, luck)

    def audio(self, logits: torch.Tensor, luck: torch.Tensor) -> torch.Tensor:
        """Choose audio codes int64 `[B]` from logits `[B, card]` and uniform numbers `[B]` in 0 ≤ u < 1."""
        return self._choose(logits, self._audio, luck)

    def _choose(self, logits: torch.Tensor, limits: Limits, luck: torch.Tensor) -> torch.Tensor:
        if self._all_greedy:
            return logits.argmax(dim=-1)
        drawn = sample(logits, limits, luck)
        return torch.where(self._greedy, logits.argmax(dim=-1), drawn) if self._any_greedy else drawn


class Limits:
    """Temperatures and top-k of a batch of rows, as tensors.

    Args:
        temperatures: of each row, above 0.
        top_ks: of each row; 0 for all tokens.
        device: where the logits are.
    """

    def __init__(self, temperatures: Sequence[float], top_ks: Sequence[int], device: torch.device | str | None = None):
        self.temperature = torch.tensor(temperatures, dtype=torch.float32, device=device)[:, None]
        self.widest = max(top_ks, default=0)  # known beforehand, so that no device is waited for
        self.last = torch.tensor([max(top_k - 1, 0) for top_k in top_ks], device=device)[:, None]
        self.unlimited: torch.Tensor | None = None
        if self.widest and not all(top_ks):
            self.unlimited = torch.tensor([top_k == 0 for top_k in top_ks], device=device)[:, None]


def words_apart(
    logits: torch.Tensor, temperature: torch.Tensor, word: torch.Tensor, pads: Sequence[int]
) -> torch.Tensor:
    """Logits that, divided by `temperature`, choose among words by the temperature `word`.

    How likely any word is, beside padding, is left to `temperature`.

    Args:
        logits: `[B, card]`.
        temperature: `[B, 1]`.
        word: `[B, 1]`.
        pads: ids that are no words.

    Returns:
        Float32 `[B, card]`.
    """
    logits = logits.float()
    words = logits.clone()
    words[:, list(pads)] = float("-inf")
    apart = temperature * (words / word).log_softmax(dim=-1) + words.logsumexp(dim=-1, keepdim=True)
    apart[:, list(pads)] = logits[:, list(pads)]
    return apart


def sample(logits: torch.Tensor, limits: Limits, luck: torch.Tensor) -> torch.Tensor:
    """Draw one token a row by inverting the cumulative distribution.

    Candidates that tie with the k-th likeliest all stay, so that a sort's order never decides which of them remain.

    Args:
        logits: `[B, card]`.
        limits: of the B rows.
        luck: uniform numbers `[B]` in 0 ≤ u < 1.

    Returns:
        int64 `[B]`.
    """
    card = logits.shape[-1]
    scaled = logits.float() / limits.temperature
    if limits.widest:
        ordered = scaled.topk(min(limits.widest, card), dim=-1).values
        last = limits.last if limits.widest <= card else limits.last.clamp(max=card - 1)
        floor = ordered.gather(1, last)
        if limits.unlimited is not None:
            floor.masked_fill_(limits.unlimited, float("-inf"))
        scaled.masked_fill_(scaled < floor, float("-inf"))
        likeliest = ordered[:, :1]
    else:
        likeliest = scaled.amax(dim=-1, keepdim=True)
    likelihood = scaled.sub_(likeliest).exp_()
    # Double: a sum's order must not move a boundary that luck can hit.
    cumulative = likelihood.cumsum(dim=-1, dtype=torch.float64)
    threshold = luck.double()[:, None] * cumulative[:, -1:]
    return (cumulative <= threshold).sum(dim=-1)
