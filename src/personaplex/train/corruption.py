"""What the model reads in training instead of the truth: an imperfect ear, and an imperfect past of its own."""

from __future__ import annotations

import torch

from personaplex.frames import ZERO, Layout
from personaplex.lm.model import LanguageModel, prompt_columns
from personaplex.train.settings import LMTraining


def corrupted(
    columns: torch.Tensor,
    model: LanguageModel,
    settings: LMTraining,
    random: torch.Generator,
    prompt: torch.Tensor | None = None,
) -> torch.Tensor:
    """Input columns as an imperfect ear and an imperfect past would have them, int64 `[B, S, T]`.

    Args:
        columns: int64 `[B, S, T]`.
        model: whose columns they are.
        settings: how much of it.
        random: draws what is changed.
        prompt: int64 `[B]`, frames of each prompt; None where there are none.
    """
    layout, out = model.layout, columns.clone()

    def drawn(shape: tuple[int, ...], share: float) -> torch.Tensor:
        return torch.rand(shape, generator=random) < share

    def noise(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randint(layout.card, shape, generator=random)

    user, semantic = out[:, layout.user], out[:, layout.agent][:, :1]
    for part in (user, semantic):
        shape = tuple(part.shape)
        part.copy_(torch.where(drawn(shape, settings.corrupt) & (part != ZERO), noise(shape), part))
    forget = drawn((len(out), 1, 1), settings.forget)
    acoustic = out[:, layout.agent][:, 1:]
    if prompt is not None:  # where its own past is forgotten, it has the voice from the sample alone
        forget = forget & ~prompt_columns(prompt, columns.shape[2])[:, None]
    acoustic.copy_(torch.where(forget, torch.full_like(acoustic, ZERO), acoustic))
    if layout.heard:
        words = out[:, layout.heard_text]
        words.copy_(_misheard(words, layout, settings.heard_corrupt, random))
    if settings.blur:
        kept = torch.randint(1, layout.codebooks, (len(out), 1, 1), generator=random)
        hidden = drawn((len(out), 1, 1), settings.blur) & (torch.arange(layout.codebooks)[:, None] >= kept)
        user.copy_(torch.where(hidden, torch.full_like(user, ZERO), user))
    out[:, :, 0] = columns[:, :, 0]
    return out


def _misheard(tokens: torch.Tensor, layout: Layout, share: float, random: torch.Generator) -> torch.Tensor:
    """Tokens of the user's words, some exchanged for others of the batch and as many dropped to padding."""
    words = ~is_padding(tokens, layout) & (tokens < layout.text_card)
    pool = tokens[words]
    if not len(pool):
        return tokens
    draw = torch.rand(tokens.shape, generator=random)
    other = pool[torch.randint(len(pool), tokens.shape, generator=random)]
    heard = torch.where(words & (draw < share), layout.text_pad, tokens)
    return torch.where(words & (draw < share / 2), other, heard)


def is_padding(tokens: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Which tokens of a text stream are no word pieces."""
    return (tokens == layout.text_pad) | (tokens == layout.text_end_pad)
