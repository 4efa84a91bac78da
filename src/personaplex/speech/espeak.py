"""espeak-ng in this process, through its C library, with the start of every word.

Knows espeak-ng's C interface and nothing of who speaks. Its phones are not CMU's, so utterances carry none.

The library keeps the phases of its oscillators from one utterance to the next and has no working reset. So that the
same text always gives the same samples, each utterance is made in a forked child of a process that never spoke; where
that child crashes, in a new process.
"""

from __future__ import annotations

import ctypes as c
import os
import pickle
import re
import subprocess
import sys
import warnings

import numpy as np

from personaplex.speech.tts import MissingEngine, Speaker, SpeechError, Utterance, Word, finish

_INSTALL = "espeak-ng is not installed: apt install espeak-ng (Debian package libespeak-ng1 holds the library)."
_RETRIEVE, _PHONEME_EVENTS, _DONT_EXIT = 2, 0x0001, 0x8000  # synchronous: espeak_Synth returns when all is said
_END, _WORD, _PHONEME = 0, 1, 7
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7
_TRIES = 3  # now and then the library crashes on what it can speak
_WORDS_A_MINUTE = 165
_RANGE_MIDDLE = 50  # 0 to 99
_PITCH_MIDDLE = 50  # 0 to 99; about 4.3 % of the frequency a step of 5
_SILENT = re.compile(rb"_|$")


class _Event(c.Structure):
    _fields_ = [
        ("type", c.c_int),
        ("id", c.c_uint),
        ("position", c.c_int),  # of the first character, counted from 1
        ("length", c.c_int),
        ("milliseconds", c.c_int),
        ("sample", c.c_int),
        ("user", c.c_void_p),
        ("name", c.c_char * 8),
    ]


_CALLBACK = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_short), c.c_int, c.POINTER(_Event))


class Espeak:
    """A `TTS`. One per process, as the library's state is global. MissingEngine if the library is absent."""

    def __init__(self) -> None:
        try:
            self._lib = c.CDLL("libespeak-ng.so.1")
        except OSError as error:
            raise MissingEngine(_INSTALL) from error
        self._rate = self._lib.espeak_Initialize(_RETRIEVE, 0, None, _PHONEME_EVENTS | _DONT_EXIT)
        if self._rate <= 0:
            raise MissingEngine("espeak-ng finds no data: apt install espeak-ng-data.")
        self._sound: list[np.ndarray] = []
        self._events: list[tuple[int, int, float, bytes]] = []
        self._keep = _CALLBACK(self._receive)  # the library keeps the pointer only
        self._lib.espeak_SetSynthCallback(self._keep)

    def _receive(self, wave: c._Pointer[c.c_short], count: int, events: c._Pointer[_Event]) -> int:
        if wave and count:
            self._sound.append(np.ctypeslib.as_array(wave, (count,)).copy())
        at = 0
        while events[at].type != _END:
            event = events[at]
            self._events.append((event.type, event.position, event.milliseconds / 1000, event.name))
            at += 1
        return 0

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError for an unknown voice."""
        plain = text.encode("ascii", "ignore")
        answer, died = self._in_child(plain, speaker)
        for _ in range(_TRIES):
            if answer and not died:
                break
            answer, died = _afresh(plain, speaker)
        if died or not answer:
            raise SpeechError(f"espeak-ng failed on {text!r}; `espeak-ng {text!r}` may say why.")
        sound, events = pickle.loads(answer)  # noqa: S301  written by our own child
        if sound is None:
            raise SpeechError(f"espeak-ng has no voice {speaker.voice!r}; `espeak-ng --voices=en` lists them.")
        pcm = sound.astype(np.float32) / 32768
        words = _words(events, plain.decode(), len(pcm) / self._rate, speaker.warp)
        return finish(pcm, self._rate * speaker.warp, words, [])

    def _in_child(self, plain: bytes, speaker: Speaker) -> tuple[bytes, bool]:
        """What a child of this process that speaks `plain` has to tell, pickled, and whether a signal ended it."""
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # the child runs the library alone, whatever threads exist
            read, write = os.pipe()
            child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(read)
                with open(write, "wb") as pipe:
                    pickle.dump(self._speak(plain, speaker), pipe)
                status = 0
            finally:
                os._exit(status)
        os.close(write)
        with open(read, "rb") as pipe:
            answer = pipe.read()
        return answer, os.WIFSIGNALED(os.waitpid(child, 0)[1])

    def _speak(self, plain: bytes, speaker: Speaker) -> tuple[np.ndarray | None, list[tuple[int, int, float, bytes]]]:
        if self._lib.espeak_SetVoiceByName(speaker.voice.encode()) != 0:
            return None, []
        self._lib.espeak_SetParameter(_RATE, round(_WORDS_A_MINUTE / (speaker.stretch * speaker.warp)), 0)
        pitch = _PITCH_MIDDLE + 115 * np.log(speaker.pitch / speaker.warp)
        self._lib.espeak_SetParameter(_PITCH, int(np.clip(round(pitch), 0, 99)), 0)
        self._lib.espeak_SetParameter(_RANGE, int(np.clip(round(_RANGE_MIDDLE * speaker.melody), 0, 99)), 0)
        self._lib.espeak_SetParameter(_WORD_GAP, speaker.gap, 0)
        c.CDLL(None).srand(1)  # its noise uses rand()
        self._lib.espeak_Synth(plain, len(plain) + 1, 0, 1, 0, 0, None, None)
        return np.concatenate(self._sound), self._events


def _afresh(plain: bytes, speaker: Speaker) -> tuple[bytes, bool]:
    """As `Espeak._in_child`, in a process of its own: a child has its parent's memory, and crashes where that does."""
    code = (
        "import pickle, sys; from personaplex.speech import espeak as e; e.speak_once(*pickle.load(sys.stdin.buffer))"
    )
    told = pickle.dumps((plain, speaker))
    done = subprocess.run([sys.executable, "-c", code], input=told, capture_output=True, check=False)
    return done.stdout, done.returncode < 0


def speak_once(plain: bytes, speaker: Speaker) -> None:
    """Speak in this process and write what `Espeak._speak` gives to the standard output, pickled."""
    sys.stdout.buffer.write(pickle.dumps(Espeak()._speak(plain, speaker)))


def _words(events: list[tuple[int, int, float, bytes]], text: str, seconds: float, warp: float) -> list[Word]:
    """Word times. A word without an event (espeak-ng runs some together) shares its neighbour's time by letters."""
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    current: int | None = None
    quiet_since = 0.0
    for kind, position, time, name in events:
        if kind == _WORD and position - 1 < len(text) and re.match(r"[A-Za-z']", text[position - 1]):
            current = position - 1
            starts.setdefault(current, time)
        elif kind == _PHONEME and current is not None:
            # The first silent phone after a word closes it; later sounds of the same word open it again.
            if _SILENT.match(name):
                quiet_since = quiet_since or time
                ends[current] = quiet_since
            else:
                quiet_since = 0.0
                ends.pop(current, None)
    spans = [match.span() for match in re.finditer(r"[A-Za-z']+", text) if match.group().strip("'")]
    begin = [next((starts[p] for p in range(a, b) if p in starts), None) for a, b in spans]
    close = [next((ends[p] for p in range(a, b) if p in ends), None) for a, b in spans]
    words: list[Word] = []
    while len(words) < len(spans):
        at = len(words)
        stop = next((k for k in range(at + 1, len(spans)) if begin[k] is not None), len(spans))
        following = begin[stop] if stop < len(spans) else None
        first = begin[at] or 0.0
        last = next((e for e in close[at:stop] if e is not None), seconds if following is None else following)
        letters = np.cumsum([0, *(b - a for a, b in spans[at:stop])]) / sum(b - a for a, b in spans[at:stop])
        edges = [(first + (last - first) * float(part)) / warp for part in letters]
        for k, (a, b) in enumerate(spans[at:stop]):
            words.append(Word(text[a:b].lower(), edges[k], edges[k + 1]))
    return words
