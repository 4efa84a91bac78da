"""Voice similarity tells voices apart, and a sample without speech is a problem."""

import numpy as np
import pytest

from personaplex.audio import read_audio, write_wav
from personaplex.bench import voice
from personaplex.bench.records import OUTPUT_WAV, Case
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.similarity import Resemblyzer, make_encoder
from personaplex.speech.speakers import AGENTS
from personaplex.speech.tts import SpeechError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("resemblyzer")
    pytest.importorskip("silero_vad")
    try:
        folder = tmp_path_factory.mktemp("voice")
        agents = [AGENTS[name] for name in ("NATF0", "NATM0", "NATM1")]
        return folder, voice.cases(folder, 3, seed=0, speakers=agents)
    except SpeechError as error:
        pytest.skip(str(error))


def test_cases(made):
    folder, cases = made
    assert len(read_audio(cases[0].source)) / SAMPLE_RATE > 2 * voice.ROOM
    assert 5 < len(read_audio(cases[0].voice)) / SAMPLE_RATE < 20
    assert voice.read_cases(folder) == cases
    with pytest.raises(UserError, match="no case"):
        voice.read_cases(folder / "nowhere")
    with pytest.raises(UserError, match="at least one"):
        voice.cases(folder, 0)


def test_the_right_voice_scores_between_chance_and_ceiling(made, tmp_path):
    _, cases = made

    def outputs(case):
        return tmp_path / case.name

    quiet = np.zeros(3 * SAMPLE_RATE, np.float32)  # must not count
    for case in cases[:2]:
        write_wav(outputs(case) / OUTPUT_WAV, np.concatenate([quiet, read_audio(case.truth["other"]), quiet]))
    write_wav(outputs(cases[2]) / OUTPUT_WAV, quiet)
    result = voice.score(cases, outputs, Resemblyzer(), copy=lambda pcm: np.round(pcm * 200).astype(np.float32) / 200)
    assert result.scores["chance"] < result.scores["similarity"] <= result.scores["ceiling"] + 1e-3
    assert result.scores["identified"] == 1 and result.figures["all"]["similarity"].count == 2
    assert result.scores["pitch"] < 2 and result.scores["pitch_ceiling"] < 0.5
    assert result.scores["pitched"] == 1
    assert "too little speech in the output: 0.0 s" in result.samples[2].problem and not result.samples[2].metrics
    assert result.ears["speaker encoder"] == "resemblyzer" and "silero" in result.ears["vad"]
    # Another speaker's sound is not identified, and without a codec there is no ceiling.
    write_wav(outputs(cases[0]) / OUTPUT_WAV, read_audio(cases[1].voice))
    assert result.scores["relative"] == pytest.approx(result.scores["similarity"] / result.scores["ceiling"])
    voice.speak_others(tmp_path, 2, 5)
    more = voice.score(cases, outputs, Resemblyzer(), others=voice.read_others(tmp_path))
    assert (result.scores["choice"], more.scores["choice"]) == (3, 5)
    wrong = voice.score(cases[:2], outputs, Resemblyzer())
    assert wrong.samples[0].metrics["pitch"] > 2 and wrong.scores["pitch_ceiling"] is None
    assert wrong.samples[0].metrics["identified"] == 0 and wrong.scores["ceiling"] is None


def test_a_silent_voice_sample_is_a_problem(made, tmp_path):
    _, cases = made
    write_wav(tmp_path / "voice.wav", np.zeros(SAMPLE_RATE))
    silent = Case("voice", "similarity", "0", cases[0].source, "", str(tmp_path / "voice.wav"))
    result = voice.score([silent], lambda case: tmp_path, Resemblyzer())
    assert "too little speech in the voice sample" in result.samples[0].problem
    assert result.scores["similarity"] is None


def test_encoders_by_name():
    with pytest.raises(UserError, match="resemblyzer and wavlm-tdnn"):
        make_encoder("ear")


@pytest.mark.slow
def test_wavlm(tmp_path):
    transformers = pytest.importorskip("transformers")
    with pytest.raises(UserError, match="can not be loaded"):
        make_encoder(f"wavlm-tdnn:{tmp_path / 'nowhere'}")
    # The real class with random weights: the call is right, the figures mean nothing.
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    head = {"tdnn_dim": (32, 32, 64), "tdnn_kernel": (5, 3, 1), "tdnn_dilation": (1, 2, 1), "xvector_output_dim": 16}
    config = transformers.WavLMConfig(**sizes, **head)
    transformers.WavLMForXVector(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    encoder = make_encoder(f"wavlm-tdnn:{tmp_path}")
    made = encoder.embed(np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32))
    assert made.shape == (16,) and np.linalg.norm(made) == pytest.approx(1)
    with pytest.raises(UserError, match="too little speech"):
        encoder.embed(np.zeros(100, np.float32))
