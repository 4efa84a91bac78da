"""Training that listens with the model's own ear: it reads its own guesses of the user's words, and learns to go on.

Knows the grid and the model's forward pass, not the losses. The words of the agent are never guessed here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from personaplex.frames import Layout
from personaplex.lm.model import LanguageModel
from personaplex.train.corruption import is_padding

EARLY = 2
"""Frames before its place at which a word counts as written."""
LATE = 2
"""Frames after its place until which a word that was missed may still be written. For long, anything is written."""


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


def to_write(labels: torch.Tensor, written: torch.Tensor, begins: torch.Tensor, layout: Layout) -> torch.Tensor:
    """What is to be written at every frame, given what was written before it.

    Guesses come a frame or two beside their places. Asked for its labels all the same, a model would learn to write a
    word again that it has written already, and to let go of one that it has missed. So the next piece is what would
    complete the words best (optimal completion distillation, Sabour et al. 2018, arXiv 1810.01398), as far as
    time allows: a word that was begun up to `EARLY` frames early is not asked for again, one that is missing is for
    `LATE` frames, one that was begun is to be finished, and a wrong one stands for the one that was due.

    Args:
        labels: int64 `[B, T]`, the user's words in their places.
        written: int64 `[B, T]`, what was written in each frame.
        begins: bool `[text_card]`, the pieces that begin a word.
        layout: the model's layout, for its padding ids.

    Returns:
        int64 `[B, T]`. Where all is written in its place these are the labels.
    """
    unlabelled, unwritten = (is_padding(tokens, layout).tolist() for tokens in (labels, written))
    rows = zip(labels.tolist(), written.tolist(), unlabelled, unwritten, strict=True)
    first = begins.tolist()
    return torch.tensor([_row(*row, first, layout.text_pad) for row in rows], dtype=torch.long).view(labels.shape)


def _row(
    labels: Sequence[int],
    written: Sequence[int],
    unlabelled: Sequence[bool],
    unwritten: Sequence[bool],
    begins: Sequence[bool],
    pad: int,
) -> list[int]:
    """As `to_write`, of one row; `unlabelled` and `unwritten` tell where its labels and what was written are silent."""
    places = _words(labels, unlabelled, begins)
    due: list[int] = []  # places of words to be written
    begun: set[int] = set()  # places of words that were begun before
    rest: list[int] = []  # of the word that was begun
    last = 0  # the frame in which something was written last
    out = []
    for frame, piece in enumerate(written):
        if frame in places and frame not in begun:
            due.append(frame)
        due = [place for place in due if frame - place <= LATE]
        if rest and frame - last <= LATE:
            out.append(rest[0])
        elif due:
            out.append(places[due[0]][0])
        else:
            out.append(labels[frame] if unlabelled[frame] else pad)
        if unwritten[frame]:
            continue
        goes_on, last = frame - last <= LATE and rest[:1] == [piece], frame
        rest = rest[1:] if goes_on else []
        if goes_on:
            continue
        if not begins[piece]:
            continue  # a stray end of a word
        found = [place for place in due if places[place][0] == piece]
        ahead = [place for place in range(frame + 1, frame + 1 + EARLY) if places.get(place, [pad])[0] == piece]
        ahead = [place for place in ahead if place not in begun]
        if found:
            due, rest = due[due.index(found[0]) + 1 :], places[found[0]][1:]
        elif ahead:  # what came before it is let go
            due, rest = [], places[ahead[0]][1:]
            begun.add(ahead[0])
        else:
            due = due[1:]
    return out


def _words(labels: Sequence[int], silent: Sequence[bool], begins: Sequence[bool]) -> dict[int, list[int]]:
    """The pieces of each word, by the frame of its first."""
    words: dict[int, list[int]] = {}
    last: int | None = None
    for frame, label in enumerate(labels):
        if silent[frame]:
            last = None
        elif last is None or begins[label]:
            words[last := frame] = [label]
        else:
            words[last].append(label)
    return words
