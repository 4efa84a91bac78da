"""Systems: our model through the engine, the controls, the cascade, a folder of outputs."""

import json

import numpy as np
import pytest

from personaplex.audio import read_audio, write_wav
from personaplex.bench.ears import make_ear
from personaplex.bench.records import Case
from personaplex.bench.systems.answers import RuleAnswerer, make_answerer, spoken
from personaplex.bench.systems.cascade import BARGE_IN, ENDPOINT, Cascade
from personaplex.bench.systems.controls import babble, echo, silent
from personaplex.bench.systems.engine import EngineSystem
from personaplex.bench.systems.files import case_seed
from personaplex.bench.systems.folder import Folder
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.speech.engines import Voices
from personaplex.speech.tts import Speaker
from personaplex.speech.vad import speech_segments
from tests.helpers import one_thread, tiny_model

ROLE = "You work for Maple Bakery and your name is Nora. Information: The apple pie costs $12. Open until 6 pm."
USER = Speaker("user", "flite", "kal16", "M", split="test")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"), context=400)


def case(tmp_path, name, pcm, **more):
    write_wav(tmp_path / "in" / f"{name}.wav", pcm)
    return Case("duplex", "candor_turn_taking", name, tmp_path / "in" / f"{name}.wav", **more)


def noise(frames, seed=0, extra=0):
    return np.random.default_rng(seed).normal(0, 0.1, frames * FRAME_SAMPLES + extra).astype(np.float32)


def answered(system, cases, out):
    """Have them answered; id → (sound, own.json) or the error's sentence."""
    told = {}
    for each in system.answer(cases, lambda one: out / one.id):
        place = out / each.id
        if (place / "error.json").exists():
            told[each.id] = json.loads((place / "error.json").read_text())["error"]
        else:
            own = place / "own.json"
            told[each.id] = (read_audio(place / "output.wav"), json.loads(own.read_text()) if own.exists() else None)
    assert len(told) == len(cases)
    return told


# --- our model


def test_a_case_is_answered_alike_in_any_company(model, tmp_path):
    """Roles, lengths and seeds differ; what one says depends neither on the order nor on who else is answered."""
    cases = [
        case(tmp_path, str(k), noise(3 + k, k, 7), role=role) for k, role in enumerate(["", "the answer", "hello"])
    ]
    system = EngineSystem(model, seed=5, batch_size=2)
    together = answered(system, cases, tmp_path / "a")
    alone = answered(EngineSystem(model, seed=5, batch_size=2), cases[::-1][:2], tmp_path / "b")
    for each in cases[1:]:
        assert np.array_equal(together[each.id][0], alone[each.id][0])
    for k, each in enumerate(cases):
        pcm, own = together[each.id]
        assert len(pcm) == (3 + k) * FRAME_SAMPLES + 7
        assert own["meta"]["seed"] == case_seed(5, each)
        assert own["meta"]["persona"]["role"] == (each.role or system.describe()["role of cases without one"])
    assert len({own["meta"]["seed"] for _, own in together.values()}) == 3


def test_what_cannot_be_answered_is_named_and_harms_no_other_case(model, tmp_path):
    fine = case(tmp_path, "0", noise(2))
    damaged = case(tmp_path, "1", noise(2))
    damaged.source.write_bytes(b"RIFF")
    long = case(tmp_path, "2", noise(2), role="hello " * 400)
    lost = Case("duplex", "candor_turn_taking", "3", fine.source, voice="nobody")
    told = answered(EngineSystem(model, batch_size=2), [damaged, long, fine, lost], tmp_path / "out")
    assert "damaged" in told[damaged.id] and "too long" in told[long.id] and "nobody" in told[lost.id]
    assert len(told[fine.id][0]) == 2 * FRAME_SAMPLES


def test_the_codecs_own_copy_is_as_long_as_its_original(model):
    assert EngineSystem(model).copy(noise(3, extra=5)).shape == (3 * FRAME_SAMPLES + 5,)


# --- controls


def test_echo_repeats_the_user_a_second_later(tmp_path):
    sound = noise(30)
    told = answered(echo(), [case(tmp_path, "0", sound)], tmp_path / "out")
    [(pcm, own)] = told.values()
    assert own is None and len(pcm) == len(sound)
    assert not pcm[:SAMPLE_RATE].any()
    assert np.abs(pcm[SAMPLE_RATE:] - sound[:-SAMPLE_RATE]).max() < 1e-4


def test_silent_is_silent_and_babble_never_is(tmp_path):
    one = case(tmp_path, "0", noise(500))
    assert not answered(silent(), [one], tmp_path / "s")[one.id][0].any()
    pcm = answered(babble(), [one], tmp_path / "b")[one.id][0]
    spoken_seconds = sum(end - start for start, end in speech_segments(pcm, min_silence=0.5))
    assert spoken_seconds > 0.97 * len(pcm) / SAMPLE_RATE


def test_a_control_names_a_damaged_recording(tmp_path):
    one = case(tmp_path, "0", noise(2))
    one.source.write_bytes(b"")
    assert "empty" in answered(silent(), [one], tmp_path / "out")[one.id]


# --- the cascade


def conversation(*parts):
    """Silence (seconds) and speech (text) in a row; the sound, and each text's start and end."""
    voices, sound, spans = Voices(), np.zeros(0, np.float32), []
    for part in parts:
        pcm = np.zeros(round(part * SAMPLE_RATE), np.float32) if isinstance(part, float) else voices.say(part, USER).pcm
        if isinstance(part, str):
            spans.append((len(sound) / SAMPLE_RATE, (len(sound) + len(pcm)) / SAMPLE_RATE))
        sound = np.concatenate([sound, pcm])
    return sound, spans


@pytest.fixture(scope="module")
def cascade():
    """A real one, whose computing always seems to take half a second."""
    times = iter(np.arange(0.0, 1e4, 0.5))
    ear = make_ear("pocketsphinx", ["How much is the apple pie?", "When do you close?", "Wait, what is your name?"])
    return Cascade(ear, RuleAnswerer(), Voices(), lambda: float(next(times)))


def test_the_cascade_answers_after_silence_and_its_own_computing(cascade, tmp_path):
    sound, [(_, end)] = conversation(0.5, "How much is the apple pie?", 6.0)
    [(pcm, own)] = answered(cascade, [case(tmp_path, "0", sound, role=ROLE)], tmp_path / "out").values()
    assert own["text"] == "the apple pie costs twelve dollars"
    assert own["meta"]["heard"] == ["how much is the apple pie"] and own["meta"]["compute_s"] == [0.5]
    assert own["pieces"][0]["start"] == pytest.approx(end + ENDPOINT + 0.5, abs=0.15)  # the VAD is not exact
    first = np.flatnonzero(np.abs(pcm) > 1e-3)[0] / SAMPLE_RATE
    assert first == pytest.approx(own["pieces"][0]["start"], abs=0.05)


def test_the_cascade_stops_when_it_is_interrupted_and_answers_that(cascade, tmp_path):
    sound, spans = conversation(0.5, "How much is the apple pie?", 2.2, "Wait, what is your name?", 5.0)
    [(pcm, own)] = answered(cascade, [case(tmp_path, "0", sound, role=ROLE)], tmp_path / "out").values()
    start = spans[1][0]
    quiet = slice(round((start + BARGE_IN + 0.15) * SAMPLE_RATE), round((spans[1][1] + ENDPOINT) * SAMPLE_RATE))
    assert np.abs(pcm[round((start - 0.5) * SAMPLE_RATE) : round(start * SAMPLE_RATE)]).max() > 0.01
    assert not pcm[quiet].any()
    assert own["text"].startswith("the apple") and own["text"].endswith("my name is nora")


def test_the_cascade_hears_a_turn_whole_that_goes_on_before_its_answer_is_ready(cascade, tmp_path):
    sound, _ = conversation(0.5, "How much is", 0.9, "the apple pie?", 5.0)  # 0.9 s is past the endpoint's 0.7
    [(_, own)] = answered(cascade, [case(tmp_path, "0", sound, role=ROLE)], tmp_path / "out").values()
    assert own["meta"]["heard"][-1] == "how much is the apple pie"
    assert own["text"] == "the apple pie costs twelve dollars"


@pytest.mark.parametrize(
    ("heard", "answer"),
    [
        ("when are you open", "Open until six in the evening."),
        ("what is your name", "I work for Maple Bakery and my name is Nora."),
        ("who won the game", "I am sorry, I do not have that information."),
        ("hello", "Hello, how can I help you?"),
    ],
)
def test_rules_answer_from_the_role(heard, answer):
    assert RuleAnswerer().answer(ROLE, heard) == answer


def test_a_simple_synthesiser_is_given_words_for_figures():
    assert spoken("Call 0765, pay $60 or 15%; 7:30 pm") == (
        "Call zero seven six five, pay sixty dollars or fifteen percent seven thirty in the evening"
    )


def test_a_model_of_answers_needs_an_address():
    with pytest.raises(UserError, match="--endpoint"):
        make_answerer("some-model")


# --- a folder


def test_outputs_made_elsewhere_are_taken_over(tmp_path):
    sound = noise(4)
    here, lost = case(tmp_path, "7", sound), case(tmp_path, "8", sound)
    given = tmp_path / "given"
    write_wav(given / "candor_turn_taking/7/output.wav", sound)
    (given / "candor_turn_taking/7/output.json").write_text('{"text": "", "chunks": []}')
    system = Folder(given)
    assert system.name == "given"
    out = tmp_path / "out"
    assert [each.name for each in system.answer([here, lost], lambda one: out / one.id)] == ["7", "8"]
    assert sorted(path.name for path in (out / here.id).iterdir()) == ["output.json", "output.wav"]
    assert (out / lost.id).is_dir() and not list((out / lost.id).iterdir())
    with pytest.raises(UserError, match="no folder"):
        Folder(tmp_path / "nowhere")
