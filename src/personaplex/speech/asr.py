"""Recognition by pocketsphinx: words with times, on a CPU, from models that its wheel brings along.

Knows pocketsphinx and the word error rate. The general model is weak on synthetic voices, so a recogniser can be
restricted to the words and word pairs of given sentences; say which was used beside every figure.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import SpeechError, Word, words_of

if TYPE_CHECKING:
    from pocketsphinx import Decoder

_RATE = 16_000  # Hz, of the acoustic model
_DISCOUNT = 0.9  # of the probability mass stays on word pairs that were seen


class ASR(Protocol):
    """Speech to text."""

    def words(self, pcm: np.ndarray) -> list[Word]:
        """The words in float32 mono `[samples]` at 24 kHz, lower case, with times in seconds."""
        ...


class Pocketsphinx:
    """An `ASR`.

    Args:
        sentences: if given, only their words are recognised, with a bigram model of their order.

    SpeechError if pocketsphinx is absent, or knows the pronunciation of no word of the sentences.
    """

    def __init__(self, sentences: Iterable[str] | None = None) -> None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise SpeechError("pocketsphinx is not installed: pip install pocketsphinx.") from error
        self.unknown: list[str] = []  # words of the sentences without a pronunciation in the dictionary
        if sentences is None:
            self._decoder: Decoder = pocketsphinx.Decoder(loglevel="FATAL", samprate=_RATE)
            return
        spoken = [words_of(sentence) for sentence in sentences]
        self.unknown = _missing(pocketsphinx, {word for words in spoken for word in words})
        known = [[word for word in words if word not in self.unknown] for words in spoken]
        known = [words for words in known if words]
        if not known:
            raise SpeechError("The recogniser's dictionary has no word of the given sentences.")
        with tempfile.TemporaryDirectory() as folder:
            model, words = Path(folder) / "domain.arpa", Path(folder) / "domain.dict"
            model.write_text(bigram_arpa(known))
            # With its whole dictionary it would look for each of 130,000 words in the model: 12 s instead of 0.1.
            words.write_text(_pronunciations(pocketsphinx, {word for sentence in known for word in sentence}))
            self._decoder = pocketsphinx.Decoder(lm=str(model), dict=str(words), loglevel="FATAL", samprate=_RATE)

    def words(self, pcm: np.ndarray) -> list[Word]:
        """The words in float32 mono `[samples]` at 24 kHz, lower case, with times in seconds."""
        import soxr

        sound = soxr.resample(np.asarray(pcm, np.float32), SAMPLE_RATE, _RATE)
        loudest = float(np.abs(sound).max(initial=0.0))
        if loudest < 1e-3:
            return []
        raw = (sound / loudest * 0.6 * 32767).astype(np.int16).tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(raw, full_utt=True)
        self._decoder.end_utt()
        out = []
        for segment in self._decoder.seg() or ():
            if not segment.word.startswith(("<", "[", "+")):
                name = re.sub(r"\(\d+\)$", "", segment.word)
                out.append(Word(name, segment.start_frame / 100, (segment.end_frame + 1) / 100))
        return out

    def text(self, pcm: np.ndarray) -> str:
        """The words of `words`, joined by spaces."""
        return " ".join(word.text for word in self.words(pcm))


def _missing(pocketsphinx: Any, words: set[str]) -> list[str]:
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL", samprate=_RATE)
    return sorted(word for word in words if decoder.lookup_word(word) is None)


def _pronunciations(pocketsphinx: Any, words: set[str]) -> str:
    """The part of its dictionary that is about `words`, all their pronunciations included (`read`, `read(2)`)."""
    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if re.sub(r"\(\d+\)$", "", line.split(maxsplit=1)[0]) in words)


def bigram_arpa(sentences: Sequence[Sequence[str]]) -> str:
    """A back-off bigram language model of `sentences` (each a list of words), as ARPA text."""
    ones: Counter[str] = Counter()
    twos: Counter[tuple[str, str]] = Counter()
    for words in sentences:
        line = ["<s>", *words, "</s>"]
        ones.update(line)
        twos.update(zip(line, line[1:], strict=False))
    total = sum(count for word, count in ones.items() if word != "<s>")
    starts: Counter[str] = Counter()
    followers: dict[str, float] = {}
    for (first, second), count in twos.items():
        starts[first] += count
        followers[first] = followers.get(first, 0.0) + ones[second] / total
    lines = ["\\data\\", f"ngram 1={len(ones)}", f"ngram 2={len(twos)}", "", "\\1-grams:"]
    for word in sorted(ones):
        chance = -99.0 if word == "<s>" else np.log10(ones[word] / total)
        left = 1 - min(followers.get(word, 0.0), 0.999)
        backoff = np.log10((1 - _DISCOUNT) / left) if word in starts else 0.0
        lines.append(f"{chance:.4f} {word} {backoff:.4f}")
    lines += ["", "\\2-grams:"]
    for (first, second), count in sorted(twos.items()):
        lines.append(f"{np.log10(_DISCOUNT * count / starts[first]):.4f} {first} {second}")
    return "\n".join([*lines, "", "\\end\\", ""])


def word_error_rate(reference: Sequence[str], heard: Sequence[str]) -> float:
    """Substitutions, deletions and insertions over all texts, for each reference word; case and punctuation ignored."""
    import jiwer

    pairs = [(" ".join(words_of(r)), " ".join(words_of(h))) for r, h in zip(reference, heard, strict=True)]
    pairs = [(r, h) for r, h in pairs if r]
    return float(jiwer.wer([r for r, _ in pairs], [h for _, h in pairs]))
