"""Text and the grid: the tokenizer, and how spoken words lie on frames. Knows nothing of sound or networks."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import sentencepiece
import torch

from personaplex.errors import UserError
from personaplex.frames import FRAME_RATE, Layout

Word = tuple[str, float, float]
"""A spoken word: its text, its start and its end in seconds."""


class Tokenizer:
    """SentencePiece, with the rule of which ids a reader may see.

    Padding, control and unknown ids have no text of their own: `piece` and `decode` give nothing for them, nor for ids
    outside the vocabulary.

    Args:
        path: a SentencePiece `.model` file.
        hidden: further ids without text: those that a model's layout uses as padding.

    Raises:
        UserError: when the file is missing or is not a SentencePiece model.
    """

    def __init__(self, path: str | Path, hidden: Iterable[int] = ()):
        self.path = Path(path)
        self._hidden = frozenset(hidden)
        if not self.path.is_file():
            raise UserError(f"There is no tokenizer at {self.path}; the model directory is incomplete.")
        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(self.path))
        except (RuntimeError, OSError) as error:
            raise UserError(f"{self.path} is not a SentencePiece model; download or export the model again.") from error

    @property
    def size(self) -> int:
        """Number of ids."""
        return self._model.get_piece_size()

    def encode(self, text: str) -> list[int]:
        """Text → ids. Control characters and lone surrogates count as spaces; an empty text has no ids."""
        clean = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in text)
        return list(self._model.encode(clean))

    def decode(self, ids: Iterable[int]) -> str:
        """Ids → text; ids without text of their own are left out."""
        return self._model.decode([int(token) for token in ids if self._visible(int(token))])

    @functools.lru_cache(maxsize=65_536)  # noqa: B019 (a model keeps its tokenizer as long as it lives)
    def piece(self, token: int) -> str:
        """What one id adds to the text as it is spoken, with `▁` as a space; "" for padding and other special ids.

        A byte piece of an ASCII character is that character; other byte pieces make sense only together and give "".
        """
        if not self._visible(token):
            return ""
        if self._model.is_byte(token):
            char = chr(int(self._model.id_to_piece(token)[1:-1], 16))  # "<0x41>"
            return char if char.isascii() and char.isprintable() else ""
        return self._model.id_to_piece(token).replace("▁", " ")

    def _visible(self, token: int) -> bool:
        model = self._model
        return (
            0 <= token < self.size
            and token not in self._hidden
            and not (
                model.is_control(token) or model.is_unknown(token) or model.is_unused(token) or token == model.pad_id()
            )
        )


def align_words(
    words: Sequence[Word],
    tokenizer: Tokenizer,
    frames: int,
    layout: Layout,
    lead: int = 0,
    at: Literal["start", "end"] = "start",
) -> torch.Tensor:
    """Lay spoken words on a text stream (Moshi paper, section 3.4.4).

    A word's pieces begin `lead` frames before the frame in which it is first heard, one piece a frame. Where the pieces
    of the words before it reach that far, they are pushed on, in order; only pieces past the last frame are dropped.
    The frame before a word is EPAD where it is free, every other free frame PAD. The words of a listener are laid by
    their ends instead, with a negative lead: they are known once they were said.

    Args:
        words: text, start and end in seconds, in the order of what they are laid by.
        tokenizer: the model's tokenizer.
        frames: length T of the stream.
        layout: the model's layout, for its padding ids.
        lead: frames by which the text precedes its sound; negative for text after it.
        at: whether words are laid by the frame in which they start or by the one in which they end.

    Returns:
        int64 `[T]`.

    Raises:
        ValueError: when the words are not in order.
    """
    stream = torch.full((frames,), layout.text_pad, dtype=torch.long)
    free = 0  # first frame that no piece occupies yet
    previous = float("-inf")
    for text, start, end in words:
        moment = end if at == "end" else start
        if moment < previous:
            raise ValueError(
                f"words must be ordered by their {at}, but {text!r} at {moment} s comes after one at {previous} s"
            )
        previous = moment
        pieces = tokenizer.encode(text)
        if not pieces:
            continue
        begin = max(int(moment * FRAME_RATE + 1e-6) - lead, free)
        if begin - 1 >= free and begin - 1 < frames:
            stream[begin - 1] = layout.text_end_pad
        for index, piece in enumerate(pieces[: max(0, frames - begin)]):
            stream[begin + index] = piece
        free = begin + len(pieces)
    return stream
