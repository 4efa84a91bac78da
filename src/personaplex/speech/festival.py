"""Festival, a process that stays: diphone and HTS voices of other speakers, with the end of every phone.

Knows Festival's Scheme and nothing of who speaks. It is optional: where it is not installed, corpora do without it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile

from personaplex.speech.tts import MissingEngine, Speaker, SpeechError, Utterance, Word, finish, regroup, words_of

VOICES = {"ked": "ked_diphone", "slt-hts": "cmu_us_slt_arctic_hts"}
_FOLDER = Path("/usr/share/festival/voices")
_PACKAGES = "festival, festvox-kdlpc16k and festvox-us-slt-hts"
_MEAN, _SPREAD = 105.0, 15.0  # Hz, ked's own pitch
_SCHEME = """
(define (pp_say text path)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text text)))))
    (utt.save.wave utt path 'riff)
    (mapcar (lambda (s) (format t "phone %s %f\\n" (item.name s) (item.feat s 'end)))
            (utt.relation.items utt 'Segment))
    (mapcar (lambda (w) (format t "word %s %f %f\\n" (item.name w) (item.feat w 'word_start) (item.feat w 'word_end)))
            (utt.relation.items utt 'Word))
    (format t "done\\n")
    (fflush nil)))
"""


def installed() -> tuple[str, ...]:
    """The voices at hand, of `VOICES`; none where Festival is not installed."""
    if shutil.which("festival") is None:
        return ()
    return tuple(name for name, full in VOICES.items() if any(_FOLDER.glob(f"*/{full}")))


class Festival:
    """A `TTS`. MissingEngine if the program or a voice is absent."""

    def __init__(self) -> None:
        program = shutil.which("festival")
        if program is None:
            raise MissingEngine(f"festival is not installed: apt install {_PACKAGES}.")
        self._program = program
        self._folder = tempfile.TemporaryDirectory()
        self._begin()

    def _begin(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "--pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._voice = ""
        self._ask(_SCHEME)

    def _ask(self, scheme: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(scheme + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            self._process.wait()
            raise SpeechError(f"festival ended; see that these packages are whole: {_PACKAGES}.") from error

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError for an unknown voice or a text with figures or signs, read as other words."""
        if speaker.voice not in installed():
            raise MissingEngine(f"festival has no voice {speaker.voice!r}; apt install {_PACKAGES}.")
        if self._process.poll() is not None:
            self._begin()  # some texts bring it down; those are refused, the next are not
        if speaker.voice != self._voice:
            self._ask(f"(voice_{VOICES[speaker.voice]})")
            self._voice = speaker.voice
        pitch = speaker.pitch / speaker.warp
        self._ask(f"(Parameter.set 'Duration_Stretch {speaker.stretch * speaker.warp:.4f})")
        mean, spread = _MEAN * pitch, _SPREAD * pitch * speaker.melody
        self._ask(
            f"(set! int_lr_params '((target_f0_mean {mean:.3f}) (target_f0_std {spread:.3f})"
            " (model_f0_mean 170) (model_f0_std 34)))"
        )
        path = Path(self._folder.name) / "speech.wav"
        plain = text.encode("ascii", "ignore").decode().replace("\\", "").replace('"', "")
        self._ask(f'(pp_say "{plain}" "{path}")')
        phones, spoken = self._marks(speaker.warp, text)
        pcm, rate = soundfile.read(path, dtype="float32")
        return finish(pcm, rate * speaker.warp, regroup("festival", words_of(text), spoken, text), phones)

    def _marks(self, warp: float, text: str) -> tuple[list[tuple[str, float, float]], list[Word]]:
        assert self._process.stdout is not None
        phones: list[tuple[str, float, float]] = []
        words: list[Word] = []
        start = 0.0
        for line in self._process.stdout:
            kind, *fields = line.split()
            if kind == "done":
                return phones, words
            if kind == "phone":
                end = float(fields[1]) / warp
                phones.append((fields[0], start, end))
                start = end
            elif kind == "word":
                before = words[-1].end if words else 0.0
                # A word without phones of its own (`'s`, whose phone went to the word before) ends where that ends.
                began, ended = (float(field) / warp for field in fields[1:])
                words.append(Word(fields[0], began, ended) if ended > before else Word(fields[0], before, before))
        self._process.wait()  # so that the next to speak finds it gone, not going
        raise SpeechError(f"festival failed on {text!r}; see that these packages are whole: {_PACKAGES}.")
