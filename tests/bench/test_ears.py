"""Ears by name, and the transcripts that they leave."""

import importlib.util
import json

import numpy as np
import pytest

from personaplex.audio import write_wav
from personaplex.bench.ears import Recogniser, make_ear, transcript, words_in
from personaplex.bench.records import OUTPUT_JSON, OUTPUT_WAV, TOKENS_JSON
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.engines import Voices
from personaplex.speech.speakers import AGENTS
from personaplex.speech.tts import SpeechError, Word, words_of

TEXT = "The price of the table is ninety dollars."


class Fixed:
    """An engine that reports how much it was given."""

    def __init__(self):
        self.lengths = []

    def words(self, pcm):
        self.lengths.append(len(pcm))
        return [Word(" Hello,", 0.5, 0.8), Word("$60.", 0.9, 1.2), Word("…", 1.3, 1.4)]


@pytest.fixture
def folder(tmp_path):
    write_wav(tmp_path / OUTPUT_WAV, np.zeros(3 * SAMPLE_RATE))
    return tmp_path


def test_what_is_heard_is_kept_and_not_heard_again(folder):
    engine = Fixed()
    ear = Recogniser("fixed", engine)
    made = transcript(folder, ear, start=1.0)
    assert engine.lengths == [2 * SAMPLE_RATE]  # the first second is not listened to, but counts
    assert words_in(made) == [("hello", 1.5, 1.8), ("$60", 1.9, 2.2)]
    assert json.loads((folder / OUTPUT_JSON).read_text()) == made == transcript(folder, ear, start=1.0)
    assert made["text"] == "hello $60" and made["ear"] == "fixed" and len(engine.lengths) == 1
    transcript(folder, ear)  # from another moment on
    transcript(folder, Recogniser("other", engine))
    assert len(engine.lengths) == 3


def test_a_transcript_from_elsewhere_is_taken_without_any_sound(tmp_path):
    found = {"text": "Hi", "chunks": [{"text": " Hi", "timestamp": [0.2, None]}, {"text": "x", "timestamp": [None, 1]}]}
    (tmp_path / OUTPUT_JSON).write_text(json.dumps(found))
    made = transcript(tmp_path, Recogniser("fixed", Fixed()))
    assert made["ear"] == "output.json as found" and words_in(made) == [("Hi", 0.2, 0.2)]
    assert json.loads((tmp_path / OUTPUT_JSON).read_text()) == found


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        '{"text": ""}',
        '{"text": "", "chunks": [{"text": "a"}]}',
        '{"chunks": [{"text": "a", "timestamp": ["1", 2]}]}',
    ],
)
def test_a_damaged_transcript_is_one_sentence(folder, content):
    (folder / OUTPUT_JSON).write_text(content)
    with pytest.raises(UserError, match=r"output\.json is (damaged|no transcript)"):
        transcript(folder, Recogniser("fixed", Fixed()))


def test_missing_and_damaged_sound(tmp_path):
    with pytest.raises(UserError, match="no file"):
        transcript(tmp_path, Recogniser("fixed", Fixed()))
    (tmp_path / OUTPUT_WAV).write_bytes(b"RIFF")
    with pytest.raises(UserError, match="damaged"):
        transcript(tmp_path, Recogniser("fixed", Fixed()))


def test_the_systems_own_text(tmp_path):
    ear = make_ear("own")
    with pytest.raises(UserError, match="choose another ear"):
        transcript(tmp_path, ear)
    pieces = [{"text": "Hi,", "start": 0.4, "end": 0.6}, {"text": "there", "start": 0.6, "end": 0.9}]
    (tmp_path / TOKENS_JSON).write_text(json.dumps({"text": "Hi, there", "pieces": pieces}))
    assert words_in(transcript(tmp_path, ear, start=0.5)) == [("there", 0.6, 0.9)]
    (tmp_path / TOKENS_JSON).write_text('{"pieces": [{"text": "a"}]}')
    with pytest.raises(UserError, match="damaged"):
        transcript(tmp_path, ear)


def test_ears_by_name():
    with pytest.raises(UserError, match="there is no|There is no ear"):
        make_ear("trumpet")
    for name, module in (("whisper-tiny", "whisper"), ("parakeet", "nemo")):
        if importlib.util.find_spec(module) is None and importlib.util.find_spec("faster_whisper") is None:
            with pytest.raises(SpeechError, match="pip install"):
                make_ear(name)


def test_pocketsphinx_hears_words_where_they_are():
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("silero_vad")
    try:
        said = Voices().say(TEXT, AGENTS["NATM0"])
    except SpeechError as error:
        pytest.skip(str(error))
    ear = make_ear("pocketsphinx", [TEXT, "We are open on Sunday.", "My name is Anna."])
    assert ear.name == "pocketsphinx, bigram model of the domain (3 sentences)"
    noise = np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE).astype(np.float32) * 1e-3
    noise[2 * SAMPLE_RATE : 2 * SAMPLE_RATE + len(said.pcm)] += said.pcm
    heard = ear.hear(noise)
    assert [text for text, _, _ in heard] == words_of(TEXT)
    assert heard[0][1] == pytest.approx(2, abs=0.3) and heard[-1][2] == pytest.approx(2 + said.seconds, abs=0.4)
    assert ear.hear(np.zeros(SAMPLE_RATE, np.float32)) == []
