"""Whole folders of outputs to scores: the published shape, what is needed, and every fault named."""

import json

import numpy as np
import pytest

from personaplex.audio import write_wav
from personaplex.bench.duplex import outputs_in, read_cases, score
from personaplex.bench.records import Result
from personaplex.bench.verdicts import JudgeError
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.engines import Voices
from personaplex.speech.tts import Speaker, SpeechError
from personaplex.speech.vad import speech_segments

pytest.importorskip("silero_vad")
YES = [("yes", 3.0, 3.5), ("of", 3.5, 3.7), ("course", 3.7, 4.5)]  # 1.5 s: a turn
HM = [("hm", 3.0, 3.3)]


class DeafEar:
    """Must not be asked."""

    name = "deaf"

    def hear(self, pcm):
        raise UserError("The ear was asked.")


class LoudEar:
    """Hears one word where the sound is loud, as long as that lasts: a real rule, too plain to need a model."""

    name = "loud"

    def hear(self, pcm):
        loud = np.flatnonzero(np.abs(pcm) > 0.01)
        return [("word", loud[0] / SAMPLE_RATE, (loud[-1] + 1) / SAMPLE_RATE)] if len(loud) else []


class Counting:
    """Grades an answer by its words; fails or talks nonsense when told to. Keeps what it was shown."""

    name = "counting"

    def __init__(self):
        self.seen = []

    def relevance(self, context, question, answer):
        self.seen.append((context, question, answer))
        if "fail" in answer:
            raise JudgeError("The judge did not answer.")
        return 17.0 if "nonsense" in answer else float(len(answer.split()))

    def behaviour(self, fields):
        self.seen.append(fields)
        return "C_RESPOND" if fields["output"]["chunks"] else "nonsense"


def transcript(folder, words):
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [{"text": text, "timestamp": [start, end]} for text, start, end in words]
    content = {"text": " ".join(text for text, _, _ in words), "chunks": chunks}
    (folder / "output.json").write_text(json.dumps(content))


def annotate(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content))


def run(folder, ear=None, judge=None, truth=None):
    cases, _ = read_cases(folder, sound=False)
    result = score(cases, outputs_in(folder), ear or DeafEar(), judge or Counting(), truth, seed=1)
    return result, {sample.id.removeprefix("duplex/"): sample for sample in result.samples}


@pytest.fixture(scope="module")
def hello():
    try:
        return Voices().say("Really good.", Speaker("f", "flite", "slt", "F")).pcm
    except SpeechError as error:
        pytest.skip(str(error))


def at(seconds, *parts):
    """A recording with sounds at given seconds."""
    pcm = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
    for start, sound in parts:
        begin = int(start * SAMPLE_RATE)
        pcm[begin : begin + len(sound)] = sound[: len(pcm) - begin]
    return pcm


def test_transcripts_alone(tmp_path):
    """No sound at all: pause, turn-taking and interruption are scored from `output.json`."""
    for number, words in enumerate((YES, HM, YES, HM)):
        folder = tmp_path / f"synthetic_pause_handling/{number}"
        annotate(folder, "pause", [{"text": "[PAUSE]", "timestamp": [2.0, 3.0]}])
        transcript(folder, words)
    for number, (words, turn) in enumerate(((YES, 2.5), (YES, 3.5), (HM, 2.0))):
        folder = tmp_path / f"candor_turn_taking/{number}"
        annotate(folder, "turn_taking", [{"text": "[TURN-TAKING]", "timestamp": [turn, turn + 0.4]}])
        transcript(folder, words)
    for number, words in enumerate((YES, [*YES, ("indeed", 4.5, 5.0)], HM)):
        folder = tmp_path / f"synthetic_user_interruption/{number}"
        annotate(folder, "interrupt", [{"context": "A?", "interrupt": "B?", "timestamp": [1.0, 2.0]}])
        transcript(folder, words)
    judge = Counting()
    result, samples = run(tmp_path, judge=judge)
    assert result.scores == {
        "synthetic_pause_handling": {"tor": 0.5},  # 2 of 4
        "candor_turn_taking": {"tor": pytest.approx(2 / 3), "latency_s": 0.25},  # 0.5 s and 0 s (it came early)
        # latencies of 1.0 s each; 3 and 4 words; the third is no take-over and was not judged
        "synthetic_user_interruption": {
            "tor": pytest.approx(2 / 3),
            "latency_s": 1.0,
            "score": 3.5,
            "ours": {"answered": pytest.approx(2 / 3), "stops_within_s": None},  # marks of 3 and more answer
        },
    }
    assert judge.seen == [("A?", "B?", "yes of course"), ("A?", "B?", "yes of course indeed")]
    assert result.problems == [] and result.ears["judge"] == "counting" and "silero-vad" in result.ears["vad"]
    figure = result.figures["candor_turn_taking"]["latency_s"]
    assert (figure.count, figure.unit, figure.better) == (2, "s", "lower")
    assert samples["candor_turn_taking/2"].badness == 1 and samples["synthetic_pause_handling/1"].badness == 0
    assert [event.kind for event in samples["candor_turn_taking/0"].events] == ["turn end", "take-over"]
    assert Result.from_json(json.loads(json.dumps(result.to_json()))).scores == result.to_json()["scores"]


def test_an_interrupting_question_is_answered_by_what_it_asks_for(tmp_path):
    """The annotation's answer counts, or that of the mini set's own question; no reply answers nothing."""
    marks = {"context": "A?", "timestamp": [1.0, 2.0]}
    spain = "Sorry, what is the capital of Spain?"
    for number, (more, words) in enumerate((
        ({"interrupt": spain}, "the capital is madrid"), ({"interrupt": spain}, "the capital of spain is rome"),
        ({"interrupt": "How much?", "answer": "$12"}, "twelve dollars for that"), ({"interrupt": spain}, "")
    )):  # fmt: skip
        folder = tmp_path / f"synthetic_user_interruption/{number}"
        annotate(folder, "interrupt", [marks | more])
        transcript(folder, [(word, 3.0 + index, 3.5 + index) for index, word in enumerate(words.split())])
    result, samples = run(tmp_path)
    told = [samples[f"synthetic_user_interruption/{number}"].metrics["answered"] for number in range(4)]
    assert told == [1, 0, 1, 0] and result.scores["synthetic_user_interruption"]["ours"]["answered"] == 0.5


def test_judges_that_fail(tmp_path):
    for number, text in enumerate(("it fail ed badly", "such nonsense it is", "this is quite right")):
        folder = tmp_path / f"synthetic_user_interruption/{number}"
        annotate(folder, "interrupt", [{"context": "A?", "interrupt": "B?", "timestamp": [1.0, 2.0]}])
        transcript(folder, [(word, 3.0 + index, 3.5 + index) for index, word in enumerate(text.split())])
    result, samples = run(tmp_path)
    scores = result.scores["synthetic_user_interruption"]
    assert scores.pop("ours")["answered"] == 1
    assert scores == {"tor": 1.0, "latency_s": 1.0, "score": 4.0}  # the mean of the one grade there is, not of zeros
    assert "did not answer" in samples["synthetic_user_interruption/0"].problem
    assert "17" in samples["synthetic_user_interruption/1"].problem
    assert samples["synthetic_user_interruption/1"].metrics["score"] is None
    assert len(result.problems) == 2


def test_faulty_outputs_are_named_and_never_zero(tmp_path):
    task = tmp_path / "candor_turn_taking"
    for number in range(7):
        annotate(task / str(number), "turn_taking", [{"text": "[TURN-TAKING]", "timestamp": [2.0, 2.4]}])
    transcript(task / "0", YES)
    (task / "2/output.json").write_text("{")
    (task / "3/output.json").write_text('{"text": "", "chunks": [{"text": "a"}]}')
    transcript(task / "4", [("a", None, 1.0)])
    (task / "5/error.json").write_text('{"error": "The recording is damaged."}')
    transcript(task / "6", [])
    result, samples = run(tmp_path)
    for number, text in {
        1: "output.wav",
        2: "damaged",
        3: "transcript",
        4: "no start",
        5: "recording is damaged",
    }.items():
        sample = samples[f"candor_turn_taking/{number}"]
        assert text in sample.problem and sample.metrics == {}, number
    assert "empty" in samples["candor_turn_taking/6"].problem
    # the empty transcript counts as published, as no take-over: 1 of 2
    assert result.scores["candor_turn_taking"] == {"tor": 0.5, "latency_s": 1.0}
    assert result.figures["candor_turn_taking"]["tor"].count == 2 and len(result.problems) == 6


def test_nothing_measurable_is_null_not_zero(tmp_path):
    annotate(tmp_path / "candor_turn_taking/1", "turn_taking", [{"text": "", "timestamp": [2.0, 2.4]}])
    result, _ = run(tmp_path)
    assert result.scores == {"candor_turn_taking": {"tor": None, "latency_s": None}}


def test_sound_of_the_wrong_length_or_rate(tmp_path, hello):
    task = tmp_path / "candor_turn_taking"
    for number in range(4):
        annotate(task / str(number), "turn_taking", [{"text": "", "timestamp": [2.0, 2.4]}])
        write_wav(task / f"{number}/input.wav", at(6))
    write_wav(task / "0/output.wav", at(6, (3, np.tile(hello, 2))))
    write_wav(task / "1/output.wav", at(5, (3, np.tile(hello, 2))))
    write_wav(task / "2/output.wav", at(1.5, (0.2, hello)))
    write_wav(task / "3/output.wav", at(6, (3, np.tile(hello, 2)))[::2], SAMPLE_RATE // 2)
    for _ in range(2):  # the second time from the transcripts that the ear left
        result, samples = run(tmp_path, ear=LoudEar())
        found = [samples[f"candor_turn_taking/{number}"] for number in range(4)]
        assert found[0].problem is None and found[0].metrics["latency_s"] == pytest.approx(1, abs=0.02)
        assert found[0].speech[0][0] == pytest.approx(3, abs=0.2) and found[0].words[0][0] == "word"
        assert "lasts 5.00 s, but its input 6.00 s" in found[1].problem and found[1].metrics["tor"] == 1
        assert "ends before 2.00 s" in found[2].problem and found[2].metrics == {}
        assert "12000 samples a second" in found[3].problem and found[3].metrics["tor"] == 1
        assert result.figures["candor_turn_taking"]["tor"].count == 3
    assert result.ears["asr"] == "loud"


def test_interruption_is_heard_from_its_end_on(tmp_path, hello):
    folder = tmp_path / "synthetic_user_interruption/1"
    annotate(folder, "interrupt", [{"context": "A?", "interrupt": "B?", "timestamp": [2.0, 4.0]}])
    answer = np.tile(hello, 2)
    write_wav(folder / "output.wav", at(9, (1.5, answer), (5.0, answer)))
    result, samples = run(tmp_path, ear=LoudEar())
    sample = samples["synthetic_user_interruption/1"]
    # speech from 1.5 s and from 5.0 s: the first word after 4.0 s is at 5.0 s; it spoke at 2.0 s, but not for long
    assert sample.metrics["latency_s"] == pytest.approx(1.0, abs=0.02)
    assert sample.metrics["stops_within_s"] == pytest.approx(1.5 + len(answer) / SAMPLE_RATE - 2.0, abs=0.25)
    ours = result.scores["synthetic_user_interruption"]["ours"]  # not published figures
    assert ours["stops_within_s"] == sample.metrics["stops_within_s"]
    assert result.figures["synthetic_user_interruption"]["stops_within_s"].count == 1


def test_backchannels_by_both_readings(tmp_path, hello):
    folder = tmp_path / "icc_backchannel/0"
    write_wav(folder / "output.wav", at(10, (2, hello), (6, hello)))
    transcript(folder, [("oh", 2.1, 2.3), ("really", 2.3, 2.8), ("oh", 6.1, 6.3), ("really", 6.3, 6.8)])
    write_wav(tmp_path / "icc_backchannel/1/output.wav", at(8))
    transcript(tmp_path / "icc_backchannel/1", [])
    result, samples = run(tmp_path)
    score_ = result.scores["icc_backchannel"]
    assert list(score_) == ["tor", "frequency_hz", "jsd", "corrected"]
    assert score_["jsd"] is None and "no JSD" in result.ears["backchannel ground truth"]
    sample = samples["icc_backchannel/0"]
    assert sample.metrics["corrected_frequency_hz"] == 0.2  # two in 10 s
    assert sample.metrics["corrected_tor"] == 0  # each < 1 s with two words
    silent = samples["icc_backchannel/1"]
    assert silent.problem is None and silent.metrics["tor"] == 0 and silent.metrics["frequency_hz"] == 0
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"0": [0.0, 1.0, 0.0]}))
    result, samples = run(tmp_path, truth=truth)
    assert 0 < samples["icc_backchannel/0"].metrics["corrected_jsd"] < 0.84
    assert "no entry '1'" in samples["icc_backchannel/1"].problem
    assert result.figures["icc_backchannel"]["jsd"].count == 1


def test_the_official_reading_is_one_and_a_half_times_late(hello):
    """The published call passes 24 kHz off as 16 kHz and rounds to 0.1 s."""
    pcm = at(6, (2, hello))
    (true,) = speech_segments(pcm, decimals=1)
    (late,) = speech_segments(pcm, misread=True, decimals=1)
    assert true[0] == pytest.approx(2.0, abs=0.2) and late[0] == pytest.approx(3.0, abs=0.2)
    assert late[0] == round(late[0], 1) and true[1] == round(true[1], 1)


def test_v15(tmp_path, hello):
    meta = {"context_text": "Where?", "current_turn_text": "And when?", "timestamps": [5.0, 6.5]}
    for task in ("user_interruption", "user_backchannel"):
        folder = tmp_path / task / "1"
        annotate(folder, "metadata", meta)
        write_wav(folder / "input.wav", at(12, (0.5, hello), (5.0, np.tile(hello, 2))))
        write_wav(folder / "clean_input.wav", at(12, (0.5, hello)))
        write_wav(folder / "output.wav", at(12, (2.5, np.tile(hello, 4)), (9.0, hello)))
        write_wav(folder / "clean_output.wav", at(12, (2.5, hello)))
    (tmp_path / "user_backchannel/1/input.wav").unlink()
    (tmp_path / "user_backchannel/1/clean_output.wav").unlink()
    judge = Counting()
    result, samples = run(tmp_path, ear=LoudEar(), judge=judge)
    assert sorted(samples) == ["user_backchannel/1", "user_interruption/1"]  # the clean halves are no samples
    scores = result.scores["user_interruption"]
    length = len(hello) / SAMPLE_RATE
    assert scores["stop_latency_s"] == pytest.approx(2.5 + 4 * length - 5.0, abs=0.3)
    assert scores["response_latency_s"] == pytest.approx(9.0 - 5.0 - 2 * length, abs=0.3)
    assert scores["behaviour"] == {"C_RESPOND": 1, "C_RESUME": 0, "C_UNCERTAIN_HANDLING": 0, "C_UNKNOWN": 0}
    assert scores["as_wanted"] == 1
    (shown,) = judge.seen
    assert [len(shown[name]["chunks"]) for name in ("input", "clean_input", "output", "clean_output")] == [1, 1, 1, 1]
    assert shown["overlap"] == [5.0, 6.5] and shown["overlap_text"] == "And when?"
    faulty = samples["user_backchannel/1"]
    assert "input.wav" in faulty.problem and "no answer to the clean recording" in faulty.problem
    assert "C_RESUME" not in faulty.metrics and faulty.metrics["stop_latency_s"] is not None
    assert result.scores["user_backchannel"]["as_wanted"] is None
