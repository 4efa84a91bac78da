"""The text tokenizer: SentencePiece unigram with byte fallback, special ids where Moshi's layout wants them."""

from __future__ import annotations

import os
from pathlib import Path

from personaplex.errors import UserError
from personaplex.persona.role import TAG

PAD, END_PAD = 3, 0  # ids of Moshi's tokenizer: padding, and the frame before a word (SentencePiece's "unknown")


def train_tokenizer(text: Path, out: Path, size: int = 2048) -> None:
    """Train on a file of sentences, one a line.

    Args:
        text: the sentences: roles and what agents say.
        out: the `.model` file to write.
        size: entries at most; a small corpus may give fewer.

    Raises:
        UserError: when there is no text, or too little of it.
    """
    import sentencepiece

    if not text.exists():
        raise UserError(f"{text} does not exist; make a corpus with: personaplex synth --out {text.parent}")
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = out.with_suffix(".partial")
    try:
        sentencepiece.SentencePieceTrainer.train(
            input=str(text),
            model_prefix=str(prefix),
            vocab_size=size,
            hard_vocab_limit=False,
            model_type="unigram",
            byte_fallback=True,
            normalization_rule_name="nmt_nfkc_cf",  # one token for a name in the role and in speech, whatever its case
            character_coverage=1.0,
            unk_id=END_PAD,
            bos_id=1,
            eos_id=2,
            pad_id=PAD,
            user_defined_symbols=[TAG],
            input_sentence_size=400_000,
            shuffle_input_sentence=True,
            num_threads=2,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(f"SentencePiece cannot make {size} entries of {text}: {error}") from error
    os.replace(f"{prefix}.model", out)
    os.remove(f"{prefix}.vocab")
