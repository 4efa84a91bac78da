"""Recognition, voice activity and speaker similarity on the engines' own speech."""

import numpy as np
import pytest

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.asr import Pocketsphinx, bigram_arpa, word_error_rate
from personaplex.speech.engines import Voices
from personaplex.speech.similarity import similarity
from personaplex.speech.tts import Speaker, SpeechError
from personaplex.speech.vad import speech_segments

TEXT = "The price of the table is ninety dollars."


@pytest.fixture(scope="module")
def voices():
    made = Voices()
    try:
        made.say("hello", Speaker("f", "flite", "slt", "F"))
    except SpeechError as error:
        pytest.skip(str(error))
    return made


def test_domain_recognition(voices):
    pytest.importorskip("pocketsphinx")
    said = voices.say(TEXT, Speaker("m", "flite", "rms", "M"))
    asr = Pocketsphinx([TEXT, "We are open on Sunday.", "My name is Anna."])
    heard = asr.words(np.pad(said.pcm, 6000))
    assert word_error_rate([TEXT], [" ".join(w.text for w in heard)]) <= 0.25
    assert abs(heard[0].start - 0.25) < 0.3 and heard[-1].end <= said.seconds + 0.5
    assert asr.words(np.zeros(SAMPLE_RATE, np.float32)) == []


def test_word_error_rate():
    assert word_error_rate(["Hello, my friend."], ["hello my friend"]) == 0
    assert word_error_rate(["one two three four"], ["one too four"]) == 0.5


def test_bigram_probabilities_sum_to_one():
    lines = bigram_arpa([["a", "b"], ["a", "c"], ["b"]]).splitlines()
    middle = lines.index("\\2-grams:")
    ones = {
        row[1]: (10 ** float(row[0]), 10 ** float(row[2])) for row in map(str.split, lines[:middle]) if len(row) == 3
    }
    twos = {tuple(row[1:]): 10 ** float(row[0]) for row in map(str.split, lines[middle:]) if len(row) == 3}
    assert sum(chance for chance, _ in ones.values()) == pytest.approx(1, abs=1e-3)
    for first, (_, backoff) in ones.items():
        if first != "</s>":
            total = sum(
                twos.get((first, word), backoff * chance) for word, (chance, _) in ones.items() if word != "<s>"
            )
            assert total == pytest.approx(1, abs=1e-2)


def test_activity_and_similarity(voices):
    pytest.importorskip("silero_vad")
    pytest.importorskip("resemblyzer")
    woman, man = Speaker("f", "flite", "slt", "F"), Speaker("m", "flite", "rms", "M")
    one, two = (voices.say(text, woman).pcm for text in (TEXT, "She walks to the market every morning."))
    silence = np.zeros(SAMPLE_RATE, np.float32)
    segments = speech_segments(np.concatenate([silence, one, silence]))
    assert segments[0][0] == pytest.approx(1, abs=0.2)
    assert segments[-1][1] == pytest.approx(1 + len(one) / SAMPLE_RATE, abs=0.3)
    assert speech_segments(silence) == []
    assert similarity(one, two) > similarity(one, voices.say(TEXT, man).pcm)
