"""flite in this process, through its C library, with the end of every phone.

Knows flite's C interface and nothing of who speaks.
"""

from __future__ import annotations

import ctypes as c
import zlib

import numpy as np

from personaplex.speech.tts import MissingEngine, Speaker, SpeechError, Utterance, Word, finish, regroup, words_of

VOICES = ("slt", "rms", "awb", "kal16")
_INSTALL = "flite is not installed: apt install flite (Debian package libflite1 holds the library)."
_SPREAD = {"slt": 27.0, "rms": 24.0, "awb": 25.0, "kal16": 15.0}  # Hz, standard deviation of a voice's own pitch
# A voice's own duration_stretch and int_f0_target_stddev (negative for none) as first read: the library has one copy of
# a voice, which `say` of any Flite changes.
_OWN_STRETCH: dict[str, float] = {}
_OWN_SPREAD: dict[str, float] = {}
_WORD_OF_PHONE = b"R:SylStructure.parent.parent"


class _Wave(c.Structure):
    _fields_ = [
        ("type", c.c_char_p),
        ("rate", c.c_int),
        ("count", c.c_int),
        ("channels", c.c_int),
        ("samples", c.POINTER(c.c_short)),
    ]


class _Voice(c.Structure):
    _fields_ = [("name", c.c_char_p), ("features", c.c_void_p)]


class Flite:
    """A `TTS`. MissingEngine if the library or a voice is absent."""

    def __init__(self) -> None:
        try:
            self._lib = _library()
            self._libc = c.CDLL(None)
        except OSError as error:
            raise MissingEngine(_INSTALL) from error
        self._voices: dict[str, c._Pointer[_Voice]] = {}

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError for an unknown voice or a text with figures or signs, read as other words."""
        lib, voice = self._lib, self._voice(speaker.voice)
        features = voice.contents.features
        lib.feat_set_float(features, b"duration_stretch", _OWN_STRETCH[speaker.voice] * speaker.stretch * speaker.warp)
        lib.feat_set_float(features, b"f0_shift", speaker.pitch / speaker.warp)
        spread = _OWN_SPREAD[speaker.voice]  # with a melody of 1 the voice's own, to the sample
        if speaker.melody != 1:
            spread = _SPREAD[speaker.voice] * speaker.melody * speaker.pitch / speaker.warp
        if spread < 0:
            lib.feat_remove(features, b"int_f0_target_stddev")
        else:
            lib.feat_set_float(features, b"int_f0_target_stddev", spread)
        plain = text.encode("ascii", "ignore")
        self._libc.srand(zlib.crc32(plain))  # its excitation uses rand(): the same text must give the same samples
        utterance = lib.flite_synth_text(plain, voice)
        try:
            wave = lib.utt_wave(utterance).contents
            rate = wave.rate * speaker.warp
            pcm = np.ctypeslib.as_array(wave.samples, (wave.count,)).astype(np.float32) / 32768
            phones, spoken = self._marks(utterance, speaker.warp)
        finally:
            lib.delete_utterance(utterance)
        return finish(pcm, rate, regroup("flite", words_of(text), spoken, text), phones)

    def _voice(self, name: str) -> c._Pointer[_Voice]:
        if name not in self._voices:
            if name not in VOICES:
                raise SpeechError(f"flite has no voice {name!r} here; the voices are {', '.join(VOICES)}.")
            try:
                register = getattr(c.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
            except OSError as error:
                raise MissingEngine(_INSTALL) from error
            register.restype, register.argtypes = c.POINTER(_Voice), [c.c_char_p]
            self._voices[name] = register(None)
            features = self._voices[name].contents.features
            _OWN_STRETCH.setdefault(name, self._lib.get_param_float(features, b"duration_stretch", 1.0))
            _OWN_SPREAD.setdefault(name, self._lib.get_param_float(features, b"int_f0_target_stddev", -1.0))
        return self._voices[name]

    def _marks(self, utterance: int, warp: float) -> tuple[list[tuple[str, float, float]], list[Word]]:
        """All phones, and flite's own words (which split off `'s`), with times as heard."""
        lib = self._lib
        phones: list[tuple[str, float, float]] = []
        words: list[Word] = []
        last, start = None, 0.0
        item = lib.relation_head(lib.utt_relation(utterance, b"Segment"))
        while item:
            name = lib.item_feat_string(item, b"name").decode()
            end = lib.item_feat_float(item, b"end") / warp
            phones.append((name, start, end))
            owner = lib.path_to_item(item, _WORD_OF_PHONE) if name != "pau" else None
            if owner and owner == last:
                words[-1] = Word(words[-1].text, words[-1].start, end)
            elif owner:
                words.append(Word(lib.item_feat_string(owner, b"name").decode(), start, end))
            last, start = owner, end
            item = lib.item_next(item)
        return phones, words


def _library() -> c.CDLL:
    lib = c.CDLL("libflite.so.1", mode=c.RTLD_GLOBAL)
    for name in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
        c.CDLL(name, mode=c.RTLD_GLOBAL)
    pointer, text, real = c.c_void_p, c.c_char_p, c.c_float
    for name, result, arguments in (
        ("flite_synth_text", pointer, [text, c.POINTER(_Voice)]),
        ("utt_wave", c.POINTER(_Wave), [pointer]),
        ("utt_relation", pointer, [pointer, text]),
        ("relation_head", pointer, [pointer]),
        ("item_next", pointer, [pointer]),
        ("item_feat_string", text, [pointer, text]),
        ("item_feat_float", real, [pointer, text]),
        ("path_to_item", pointer, [pointer, text]),
        ("delete_utterance", None, [pointer]),
        ("feat_set_float", None, [pointer, text, real]),
        ("feat_remove", c.c_int, [pointer, text]),
        ("get_param_float", real, [pointer, text, real]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    lib.flite_init()
    return lib
