"""Training that listens with the model's own ear: it reads its own guesses of the user's words, and learns to go on.

Knows the grid and the model's forward pass, not the losses. The words of the agent are never guessed here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch

from personaplex.frames import Layout
from personaplex.lm.model import LanguageModel
from personaplex.train.corruption import is_padding

EARLY = 2
"""Frames before its place at which a word piece counts as written."""
LATE = 6
"""Frames after its place until which a word piece that was missed may still be written."""


@torch.no_grad()
def own_ear(
    model: LanguageModel,
    inputs: torch.Tensor,
    learnt: torch.Tensor,
    share: float,
    passes: int,
    random: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Input columns in which, for a share of the examples, the user's words are the model's own guesses.

    A guess takes the place of a target. After as many passes as there are columns they would be what the model hears
    when it runs freely, by the likeliest token; some passes are near to that.

    Args:
        model: the model.
        inputs: int64 `[B, S, T]`.
        learnt: bool `[B, T]`, marks columns after which a word of the user's, or none, is a target.
        share: of the examples.
        passes: how often to guess, each time from the guesses before.
        random: draws the examples.

    Returns:
        int64 `[B, S, T]`, and bool `[B]`: the examples so drawn.
    """
    listen = model.heard_linear
    own = (torch.rand(len(inputs), generator=random) < share).to(inputs.device)
    if listen is None or not own.any() or not learnt.any():
        return inputs, torch.zeros_like(own)
    drawn, learnt = inputs[own], learnt.to(inputs.device)[own, :-1]
    words = drawn[:, model.layout.heard_text][:, 0, 1:]  # a view: what is written here is read in the next pass
    for _ in range(passes):
        guessed = listen(model.temporal(model.embed(drawn))).argmax(dim=-1)[:, :-1]
        words.copy_(torch.where(learnt, guessed, words))
    out = inputs.clone()
    out[own] = drawn
    return out, own


def to_write(labels: torch.Tensor, written: torch.Tensor, layout: Layout) -> torch.Tensor:
    """What is to be written at every frame, given what was written before it.

    Guesses come a frame or two beside their places. Asked for its labels all the same, a model would learn to write a
    word again that it has written already, and to let go of one that it has missed. So the next piece is what would
    complete the words best (optimal completion distillation, Sabour et al. 2018, arXiv 1810.01398), as far as
    time allows: a piece that was written up to `EARLY` frames early is not asked for again, one that is missing is for
    `LATE` frames, and a wrong one stands for the one that was due.

    Args:
        labels: int64 `[B, T]`, the user's words in their places.
        written: int64 `[B, T]`, what was written in each frame.
        layout: the model's layout, for its padding ids.

    Returns:
        int64 `[B, T]`. Where all is written in its place these are the labels.
    """
    silent = [is_padding(tokens, layout).tolist() for tokens in (labels, written)]
    rows = zip(labels.tolist(), written.tolist(), *silent, strict=True)
    return torch.tensor([_row(*row, layout.text_pad) for row in rows], dtype=torch.long).view(labels.shape)


def _row(
    labels: Sequence[int], written: Sequence[int], unlabelled: Sequence[bool], unwritten: Sequence[bool], pad: int
) -> list[int]:
    """As `to_write`, of one row; the last two sequences tell where its labels, and what was written, are silent."""
    due: deque[tuple[int, int]] = deque()  # pieces to be written, and their places
    early: set[int] = set()  # places of pieces that are written already
    out = []
    for frame, (label, piece) in enumerate(zip(labels, written, strict=True)):
        if not unlabelled[frame] and frame not in early:
            due.append((label, frame))
        while due and frame - due[0][1] > LATE:
            due.popleft()
        out.append(due[0][0] if due else label if unlabelled[frame] else pad)
        if unwritten[frame]:
            continue
        ahead = range(frame + 1, min(frame + 1 + EARLY, len(labels)))
        if any(piece == other for other, _ in due):
            while due.popleft()[0] != piece:
                pass
        elif found := [place for place in ahead if labels[place] == piece and place not in early]:
            early.add(found[0])
            due.clear()  # what came before it is let go
        elif due:
            due.popleft()
    return out
