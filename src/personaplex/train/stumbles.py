"""Mistakes that the agent must recover from: beginning where it should not, and answering late.

The agents of a corpus never err, so a model that learns from them alone does not know what to do once it has: it talks
on over a user who goes on speaking, or stays silent because it missed its moment. Here a dialogue is given such
mistakes. They are read and not learnt; what is learnt is to stop when the user is heard, and to answer all the same.
(To learn in the states that one's own mistakes lead to: Ross et al. 2011, arXiv 1011.0686.)

Knows the grid and who speaks when; nothing of prompts or losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from personaplex.frames import Layout

STOP = (2, 4)  # frames from the user's being heard to the agent's silence: least, one more than most
LATE, MOST_LATE = 0.3, 40  # an answer comes late by frames of a geometric distribution, this their most; it is so
# that at every moment it is likely to come soon, however long it has been missing
BEFORE = 16  # frames before the user speaks, at most, in which the agent begins
INSIDE = 0.15  # share of wrong beginnings that fall into the user's speech, not into a pause
_TURN_GAP, _WORD_GAP = 6, 2  # frames of silence that do not divide a turn of the agent's, a phrase of the user's
_ANSWERS = 14  # frames after the user's last sound within which the agent's beginning is an answer


@dataclass
class Passage:
    """A dialogue on the grid, `[S, T]` and `[T]`; changed in place.

    Attributes:
        frames: int64 `[S, T]`.
        speaking: where the agent speaks.
        user_speaking: where the user does.
        meant: where the agent's text is what it should have written: false in its mistakes.
    """

    frames: np.ndarray
    speaking: np.ndarray
    user_speaking: np.ndarray
    meant: np.ndarray


def stretches(active: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """First frame and end of every stretch of `active` `[T]`; gaps of up to `gap` frames do not divide one."""
    at = np.flatnonzero(active)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > gap + 1)
    return [(int(a), int(b) + 1) for a, b in zip(at[[0, *(cuts + 1)]], at[[*cuts, -1]], strict=True)]


def begin_wrongly(passage: Passage, random: np.random.Generator, layout: Layout, lead: int, share: float) -> None:
    """Let the agent begin to speak in pauses of the user's and before their turns, and fall silent soon after.

    Args:
        passage: where.
        random: all chance comes from it.
        layout: the model's layout.
        lead: frames by which text precedes its sound.
        share: of the places where it could be.
    """
    original = passage.frames.copy()
    sources = stretches(passage.speaking, _TURN_GAP)
    quiet_since = 0
    for begun, ended in stretches(passage.user_speaking, _WORD_GAP):
        since, quiet_since = quiet_since, ended
        inside = random.random() < INSIDE and ended - begun > 12
        if random.random() >= share or not (inside or begun - since >= 3):
            continue
        if inside:
            start = heard = int(random.integers(begun + 3, ended - 4))
        else:
            before = np.flatnonzero(passage.speaking[:begun])
            earliest = max(since + 2, int(before[-1]) + 3 if len(before) else 0)
            start, heard = max(earliest, begun - int(random.integers(1, BEFORE))), begun
        end = heard + int(random.integers(*STOP))
        first, beyond = start - lead - 1, end + lead + 1
        if first < 0 or start >= heard + 1 or beyond > original.shape[1] or passage.speaking[first:beyond].any():
            continue
        if (~_is_padding(original[layout.text, first:beyond], layout)).any():
            continue
        fits = [at for at, until in sources if until - at >= end - start and at > lead]
        if not fits:
            continue
        source = fits[int(random.integers(len(fits)))]
        shift = source - start
        passage.frames[layout.text, first : end - lead] = original[layout.text, first + shift : end - lead + shift]
        passage.frames[layout.agent, start:end] = original[layout.agent, start + shift : end + shift]
        passage.speaking[start:end] = True
        passage.meant[first : end - lead] = False


def answer_late(passage: Passage, random: np.random.Generator, layout: Layout, lead: int, share: float) -> Passage:
    """Put silence before some of the agent's answers, which are a `share` of all; returns the longer passage."""
    frames, total = passage.frames, passage.frames.shape[1]
    padding = _is_padding(frames[layout.text], layout)
    quiet = np.flatnonzero(~passage.speaking & ~passage.user_speaking & padding)
    user_ends = np.array([end for _, end in stretches(passage.user_speaking, _WORD_GAP)])
    order, heard_order, late, done, heard_done = [], [], [], 0, 0
    for start, _ in stretches(passage.speaking, _TURN_GAP):
        at = start - lead - 1
        answers = len(user_ends) and ((user_ends <= start) & (user_ends > start - _ANSWERS)).any()
        if random.random() >= share or not answers or at < heard_done or not len(quiet):
            continue
        count = min(2 + int(random.geometric(LATE)), MOST_LATE)
        filler = quiet[(int(random.integers(len(quiet))) + np.arange(count)) % len(quiet)]
        order += [np.arange(done, at), filler]
        late += [np.zeros(at - done, bool), np.ones(count, bool)]
        done = at
        # The user's last words may be written only now: their pieces stay where they are.
        words = ~_is_padding(frames[layout.heard_text, at : at + 8], layout).all(axis=0)
        behind = at + (int(np.flatnonzero(words)[-1]) + 1 if words.any() else 0)
        heard_order += [np.arange(heard_done, behind), np.full(count, -1)]
        heard_done = behind
    if not late:
        return passage
    whole = np.concatenate([*order, np.arange(done, total)])
    delayed = np.concatenate([*late, np.zeros(total - done, bool)])
    out = frames[:, whole]
    out[layout.text, delayed] = layout.text_pad
    if layout.heard:
        heard = np.concatenate([*heard_order, np.arange(heard_done, total)])
        out[layout.heard_text] = np.where(heard < 0, layout.text_pad, frames[layout.heard_text][:, heard])
    masks = (passage.speaking, passage.user_speaking, passage.meant)
    return Passage(out, *(mask[whole] & ~delayed for mask in masks))


def _is_padding(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    return np.asarray((tokens == layout.text_pad) | (tokens == layout.text_end_pad))
