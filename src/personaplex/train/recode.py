"""Carries a language model over to another codec: whatever it knew of a code, it now knows of the codes in its place.

Both codecs encode the same sound. How often an entry of the one stands where an entry of the other does tells, for
each new entry, which old ones it stands for; its embedding and its row of the output are their mean. Where the codecs
differ much this is a beginning that training goes on from, not a translation. Knows codes and names of weights only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from personaplex.errors import UserError
from personaplex.frames import Layout
from personaplex.train.packed import Packed, read_packed

_PRIOR = 0.05  # frames that a new entry is taken to have had of the old ones as they come: one never seen is their mean


def recoded(weights: Mapping[str, torch.Tensor], layout: Layout, old: Path, new: Path) -> dict[str, torch.Tensor]:
    """A language model's weights, carried over.

    Args:
        weights: of a model that was trained on codes such as those in `old`.
        layout: its layout, which the new codec shares.
        old: folder that `train encode` wrote with the old codec.
        new: the same dialogues, encoded with the new one.

    Returns:
        All the weights, those of codes exchanged.

    Raises:
        UserError: when the folders do not hold the same dialogues, or codes of other sizes than the layout's, or the
            weights are of a model of other sizes.
    """
    before, after = read_packed(old), read_packed(new)
    if _dialogues(before) != _dialogues(after):
        raise UserError(f"{old} and {new} do not hold the same dialogues; encode one corpus with either codec.")
    if {(part.codebooks, part.card) for part in (before, after)} != {(layout.codebooks, layout.card)}:
        raise UserError(f"{old} and {new} do not both have the model's {layout.codebooks} codebooks of {layout.card}.")
    carried, last = dict(weights), f"emb.{2 * layout.codebooks - 1}.weight"
    if last not in carried or len(carried[last]) != layout.card + 1:
        raise UserError("The run to start from has a model of another shape; give the same preset and tokenizer.")
    for book in range(2 * layout.codebooks):
        shares = _shares(before.codes[:, book], after.codes[:, book], layout.card)
        _exchange(carried, f"emb.{book}.weight", shares)
        if book < layout.codebooks:
            for name in (f"depformer_emb.{book}.weight", f"linears.{book}.weight"):
                if name in carried:
                    _exchange(carried, name, shares)
    return carried


def _shares(before: np.ndarray, after: np.ndarray, card: int) -> torch.Tensor:
    """Of each new entry the share that each old one has in it, float32 `[card, card]`, rows of sum one."""
    pairs = np.bincount(after.astype(np.int64) * card + before, minlength=card * card).reshape(card, card)
    usual = torch.from_numpy(np.bincount(before, minlength=card)).float() / len(before)
    counts = torch.from_numpy(pairs).float() + _PRIOR * usual
    return counts / counts.sum(dim=1, keepdim=True)


def _exchange(weights: dict[str, torch.Tensor], name: str, shares: torch.Tensor) -> None:
    """Rows of codes become means of rows; a row beyond them, of the token before all sound, stays."""
    rows = weights[name].clone()
    card = len(shares)
    rows[:card] = (shares @ rows[:card].float()).to(rows.dtype)
    weights[name] = rows


def _dialogues(packed: Packed) -> list[tuple[int, int, str]]:
    return [(item["start"], item["frames"], item["role"]) for item in packed.dialogues]
