"""Speech engines: the same text gives the same sound, and word times lie on it."""

import contextlib
import ctypes
import os
import signal

import numpy as np
import pytest

from personaplex.frames import SAMPLE_RATE
from personaplex.speech import espeak, festival, kokoro, pico
from personaplex.speech.align import align
from personaplex.speech.engines import Voices, others
from personaplex.speech.espeak import Espeak
from personaplex.speech.speakers import AGENTS, HELD_OUT, random_user
from personaplex.speech.tts import Speaker, SpeechError, display_words, words_of

TEXT = "Hi there, my dishwasher's broken. How much is a repair?"
SPEAKERS = [
    Speaker("plain", "flite", "slt", "F"),
    Speaker("bent", "flite", "awb", "M", pitch=0.9, warp=1.1, stretch=1.1),
    Speaker("robot", "espeak", "en-us+f2", "F", warp=0.95),
    Speaker("hoarse", "flite", "awb", "M", melody=1.6, low=1.1, high=0.9, breath=0.4),
    *(Speaker(voice, "festival", voice, "M", pitch=1.2, warp=1.1) for voice in festival.installed()),
    *(Speaker(voice, "pico", voice, "F", pitch=0.9, stretch=1.1) for voice in pico.installed()),
    *(Speaker(voice, "kokoro", f"{voice}+jm_kumo*0.30", "F", warp=0.9) for voice in kokoro.installed()[:1]),
    Speaker("coloured", "flite", "slt", "F", timbre=(6.0, 3.0, 0.0, -4.0, 4.0, 0.0, -6.0)),
]


def has(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


engines = pytest.mark.skipif(
    not (has("libflite.so.1") and has("libespeak-ng.so.1")), reason="flite or espeak-ng is not installed"
)


@engines
@pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda s: s.id)
def test_words_in_order_and_reproducible(speaker):
    voices = Voices()
    said = voices.say(TEXT, speaker)
    assert [w.text for w in said.words] == words_of(TEXT)
    times = [t for w in said.words for t in (w.start, w.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= said.seconds + 0.01
    voices.say("something else between", speaker)
    assert np.array_equal(said.pcm, voices.say(TEXT, speaker).pcm)


@engines
@pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda s: s.id)
def test_word_times_lie_on_the_sound(speaker):
    said = Voices().say("Boats. Cars. Trains.", speaker)
    loud = [np.sqrt(np.mean(said.pcm[int(w.start * SAMPLE_RATE) : int(w.end * SAMPLE_RATE)] ** 2)) for w in said.words]
    assert min(loud) > 0.01
    if speaker.engine == "festival":
        return  # it runs such short sentences together
    for before, after in zip(said.words, said.words[1:], strict=False):
        gap = said.pcm[int(before.end * SAMPLE_RATE) + 2 : int(after.start * SAMPLE_RATE) - 2]
        assert len(gap) and not gap.any()  # digital silence between sentences


@engines
def test_stretch_and_warp():
    voices = Voices()
    plain = voices.say(TEXT, SPEAKERS[0])
    slow = voices.say(TEXT, Speaker("slow", "flite", "slt", "F", stretch=1.3))
    small = voices.say(TEXT, Speaker("small", "flite", "slt", "F", warp=1.2))
    assert slow.seconds / plain.seconds == pytest.approx(1.3, abs=0.05)
    assert small.seconds / plain.seconds == pytest.approx(1.0, abs=0.05)  # warp leaves the duration alone


@engines
def test_a_timbre_adds_where_it_says():
    voices, plain = Voices(), SPEAKERS[0]
    bright = voices.say(TEXT, Speaker("bright", "flite", "slt", "F", timbre=(0.0, 0.0, 0.0, 0.0, 6.0, 6.0, 6.0))).pcm

    def ratio(pcm):
        power, hertz = np.abs(np.fft.rfft(pcm)) ** 2, np.fft.rfftfreq(len(pcm), 1 / SAMPLE_RATE)
        return 10 * np.log10(power[(hertz > 2400) & (hertz < 7000)].sum() / power[(hertz > 100) & (hertz < 1200)].sum())

    assert ratio(bright) - ratio(voices.say(TEXT, plain).pcm) == pytest.approx(6, abs=1.5)


@engines
def test_times_taken_from_another_voice():
    """What flite says with one voice tells when another says it; flite's own times are the truth."""
    voices = Voices()
    for text in (TEXT, "Can you tell me if there is a discount for children?"):
        truth = voices.say(text, Speaker("slow", "flite", "rms", "M", stretch=1.2))
        words, phones = align(truth.pcm, voices.say(text, SPEAKERS[0]))
        assert [w.text for w in words] == [w.text for w in truth.words]
        off = [
            abs(a - b) for w, t in zip(words, truth.words, strict=True) for a, b in ((w.start, t.start), (w.end, t.end))
        ]
        assert np.median(off) < 0.04 and max(off) < 0.25
        edges = [t for _, start, end in phones for t in (start, end)]
        assert edges == sorted(edges) and edges[-1] <= truth.seconds


@pytest.mark.skipif(not festival.installed(), reason="festival is not installed")
def test_festival_speaks_again_after_it_died():
    engine = festival.Festival()
    speaker = Speaker("x", "festival", festival.installed()[0], "M")
    said = engine.say("Hello.", speaker)
    engine._process.kill()
    with contextlib.suppress(SpeechError):
        engine.say("Hello.", speaker)
    assert np.array_equal(engine.say("Hello.", speaker).pcm, said.pcm)


@engines
def test_what_cannot_be_spoken():
    voices = Voices()
    for text, speaker in (
        ("...", SPEAKERS[0]),
        ("It costs 20 dollars", SPEAKERS[0]),
        ("hello", Speaker("x", "flite", "nobody", "F")),
        ("hello", Speaker("x", "espeak", "nobody", "F")),
        ("hello", Speaker("x", "parrot", "polly", "F")),
    ):
        with pytest.raises(SpeechError):
            voices.say(text, speaker)


@engines
def test_where_the_library_crashes_a_new_process_says_the_same(monkeypatch):
    """A crash would otherwise draw another script, so that a corpus would depend on more than its seed."""
    whole = Espeak().say("hello", SPEAKERS[2])
    monkeypatch.setattr(Espeak, "_speak", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    again = Espeak().say("hello", SPEAKERS[2])
    assert np.array_equal(again.pcm, whole.pcm) and again.words == whole.words
    monkeypatch.setattr(espeak, "_afresh", lambda *_: (b"", True))
    with pytest.raises(SpeechError, match="failed on 'hello'"):
        Espeak().say("hello", SPEAKERS[2])


def test_words():
    assert words_of("Hello, it's 'fine'.") == ["hello", "it's", "'fine'"]
    assert display_words("Well - hello, you!") == ["Well", "hello,", "you!"]


def test_held_out_voices_are_never_trained_on():
    rng = np.random.default_rng(0)
    installed = others()
    users = [random_user(rng, "train", installed) for _ in range(500)]
    train = {s.voice for s in (*users, *AGENTS.values())}
    test = {random_user(rng, "test").voice for _ in range(50)}
    assert test == set(HELD_OUT) and not train & test
    assert set(installed) <= {f"{user.engine} {user.voice.partition('+')[0]}" for user in users}
    assert len(AGENTS) == 18 and len({(s.voice, s.pitch, s.warp, s.stretch) for s in AGENTS.values()}) == 18


def test_users_of_one_engine_alone(monkeypatch):
    rng = np.random.default_rng(0)
    drawn = [random_user(rng, "train", ("kokoro jf_alpha", "kokoro jm_kumo"), only=True) for _ in range(20)]
    assert {user.engine for user in drawn} == {"kokoro"} and len({user.voice for user in drawn}) > 15  # mixtures
    assert all(user.pitch == user.warp for user in drawn)  # the one follows the other
    monkeypatch.setattr(kokoro, "installed", tuple)
    with pytest.raises(SpeechError, match="Kokoro is not installed: pip install"):
        others("kokoro")
