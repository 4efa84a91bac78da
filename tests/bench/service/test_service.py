"""The service questions: the set itself, its recordings, and scores of hand-made answers."""

import json
import re

import numpy as np
import pytest

from personaplex.audio import read_audio, write_wav
from personaplex.bench import service
from personaplex.bench.ears import make_ear
from personaplex.bench.judges import JudgeError, RuleJudge
from personaplex.bench.records import OUTPUT_JSON, Case, Result
from personaplex.bench.service.score import first_reply, question_end
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.speech.phonetics import phones
from personaplex.speech.speakers import HELD_OUT
from personaplex.speech.tts import SpeechError, words_of
from personaplex.synth.businesses import BUSINESSES
from personaplex.synth.words import COMPANY_WORDS

_ROLE = re.compile(r"You work for (.+?) which is an? (.+?) and your name is (.+?)\. Information: .+\.")


def test_the_set():
    roles = service.roles()
    heads = [_ROLE.fullmatch(role.text) for role in roles]
    assert len(roles) == 50 and all(heads)
    firms, people = ({head[group] for head in heads} for group in (1, 3))
    assert len(firms) == len(people) == 50 and len({head[2] for head in heads}) >= 40
    mistaken = [[q.kind for q in role.questions if q.wrong] for role in roles]
    assert sum(map(bool, mistaken)) == 25 and all(kinds in ([], ["Q1"], ["Q2"]) for kinds in mistaken)
    for role in roles:
        assert [q.kind for q in role.questions] == list(service.KINDS)
        for question in role.questions:
            assert question.text.isascii() and not re.search(r"\d", question.text + question.answer)
            assert question.must or question.kind in ("Q3", "Q4", "Q5", "Q6")
    # A recogniser of the domain must know every word.
    assert [word for text in service.domain() for word in words_of(text) if phones(word) is None] == []


def test_no_company_can_appear_in_training():
    """Training's companies are one or two free words and a trade's own; none of ours is made so."""
    suffixes = {suffix for business in BUSINESSES for suffix in business.suffixes}
    for role in service.roles():
        first, *rest = _ROLE.fullmatch(role.text)[1].split()
        made = [" ".join(rest)] + ([" ".join(rest[1:])] if rest[0] in COMPANY_WORDS else [])
        assert first not in COMPANY_WORDS or not suffixes & set(made), role.text


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    pytest.importorskip("scipy")
    try:
        folder = tmp_path_factory.mktemp("service")
        return folder, service.cases(folder, 14, seed=1)
    except SpeechError as error:
        pytest.skip(str(error))


def test_recordings_in_the_public_runners_format(spoken):
    folder, made = spoken
    assert [case.task for case in made].count("Q3") == 2 and len({case.role for case in made}) >= 2
    metadata = json.loads((folder / made[0].name / "metadata.json").read_text())
    assert {"prompt_text", "question_text", "question_index", "speaker_index"} <= set(metadata)
    pcm = read_audio(made[0].source)
    end = question_end(made[0])
    assert len(pcm) % FRAME_SAMPLES == 0 and 7.9 < len(pcm) / SAMPLE_RATE - end < 8.2
    assert np.abs(pcm[: int(0.5 * SAMPLE_RATE)]).max() < 0.05 < np.abs(pcm).max()
    speakers = {json.loads((folder / case.name / "metadata.json").read_text())["speaker"] for case in made}
    assert {voice for voice in HELD_OUT for speaker in speakers if voice in speaker} == set(HELD_OUT)
    assert service.read_cases(folder) == made


def test_recordings_are_kept_and_the_same_again(spoken, tmp_path):
    folder, made = spoken
    before = (made[0].source.stat().st_mtime_ns, made[0].source.read_bytes())
    assert service.cases(folder, 14, seed=1) == made and made[0].source.stat().st_mtime_ns == before[0]
    [again] = service.cases(tmp_path, 1, seed=1)
    assert again.source.read_bytes() == before[1]
    with pytest.raises(UserError, match="1 to 350"):
        service.cases(tmp_path, 351)


def test_the_end_of_a_strangers_question_is_found_by_ear(spoken, tmp_path):
    pytest.importorskip("silero_vad")
    folder, made = spoken
    theirs = json.loads((folder / made[0].name / "metadata.json").read_text())
    told = theirs.pop("question_end")
    del theirs["question"]
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "metadata.json").write_text(json.dumps(theirs))
    (tmp_path / "0" / "input.wav").write_bytes(made[0].source.read_bytes())
    [case] = service.read_cases(tmp_path)
    assert question_end(case) == pytest.approx(told, abs=0.3)
    with pytest.raises(JudgeError):
        RuleJudge().service(case.truth["question"], "yes", case.role)


def test_folders_of_anybody(tmp_path):
    with pytest.raises(UserError, match="no folder"):
        service.read_cases(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no case"):
        service.read_cases(tmp_path)
    good = {"prompt_text": "p", "question_text": "q", "question_index": 2, "speaker_index": 0}
    contents = {
        "10": good,
        "9": good,
        "x": good,
        "1": good | {"question_index": 9},
        "2": {"prompt_text": "p"},
        "3": good | {"question_end": "late"},
    }
    for name, content in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metadata.json").write_text(json.dumps(content))
        write_wav(tmp_path / name / "input.wav", np.zeros(SAMPLE_RATE))
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "metadata.json").write_text("{")
    (tmp_path / "4" / "input.wav").touch()
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "metadata.json").write_text(json.dumps(good))
    found = {case.name: case for case in service.read_cases(tmp_path)}
    assert list(found) == ["1", "2", "3", "4", "5", "9", "10", "x"]
    problems = {name: case.truth.get("problem") for name, case in found.items()}
    assert problems["9"] is problems["10"] is None and found["9"].task == "Q2"
    words = {
        "1": "question_index",
        "2": "question_text",
        "3": "question_end",
        "4": "JSON",
        "5": "missing",
        "x": "number",
    }
    for name, word in words.items():
        assert word in problems[name] and problems[name].endswith(".")


def test_the_first_reply():
    words = [("hello", 0.2, 0.5), ("yes", 3.8, 4.1), ("sure", 5.9, 6.2), ("more", 8.3, 8.5)]
    # The question ends at 4.0: `hello` is before it, `yes` begins 0.2 s early, `more` comes 2.1 s after `sure`.
    assert [text for text, _, _ in first_reply(words, 4.0)] == ["yes", "sure"]
    assert first_reply(words[:1], 4.0) == []


def answered(folder, cases, texts):
    """Write transcripts that begin one second after each question's end."""
    for case, text in zip(cases, texts, strict=True):
        at, start = folder / case.id, case.truth["question_end"] + 1
        at.mkdir(parents=True)
        chunks = [{"text": w, "timestamp": [start + k / 4, start + (k + 1) / 4]} for k, w in enumerate(text.split())]
        (at / OUTPUT_JSON).write_text(json.dumps({"text": text, "chunks": chunks}))
    return lambda case: folder / case.id


def test_scores(spoken, tmp_path):
    _, made = spoken
    right = [case.truth["question"]["answer"] for case in made]
    ear, judge = make_ear("own"), RuleJudge()
    result = service.score(made, answered(tmp_path / "right", made, right), ear, judge, seed=0)
    assert result.scores["mean"] > 4.8 and result.scores["adherent"] == 1 and result.scores["replied"] == 1
    assert result.scores["system_latency_s"] == pytest.approx(1)
    assert result.scores["facts"] == result.scores["refused"] == 1
    assert result.scores["Q0"] == {"score": 5, "adherent": 1} and not result.problems
    assert result.ears == {"ear": "own text stream", "judge": "rules (stand-in)"}
    assert Result.from_json(json.loads(json.dumps(result.to_json()))).scores == result.scores
    silent = service.score(made, answered(tmp_path / "silent", made, [""] * len(made)), ear, judge)
    assert silent.scores["mean"] == silent.scores["adherent"] == silent.scores["replied"] == 0
    assert silent.scores["system_latency_s"] is None and silent.samples[0].notes["said"] == "no reply"
    echo = service.score(
        made, answered(tmp_path / "echo", made, [case.truth["question"]["text"] for case in made]), ear, judge
    )
    assert echo.scores["mean"] < 1


def test_corrections_count_apart(spoken, tmp_path):
    _, made = spoken
    question = {"kind": "Q1", "text": "It is forty dollars, right?", "must": ["$60"], "wrong": "$40"}
    cases = [
        Case("service", "Q1", name, made[0].source, "", None, {"question": question, "question_end": 1.0})
        for name in ("0", "1")
    ]
    outputs = answered(tmp_path, cases, ["no it is sixty dollars", "yes it is forty dollars"])
    assert service.score(cases, outputs, make_ear("own"), RuleJudge()).scores["corrected"] == 0.5


def test_problems_are_named_and_no_zeros(spoken, tmp_path):
    _, made = spoken
    outputs = answered(tmp_path, made[:2], ["hello", "hello"])
    (outputs(made[0]) / OUTPUT_JSON).write_text("{")
    result = service.score(made[:3], outputs, make_ear("own"), RuleJudge())  # the third has no output at all
    assert [bool(sample.problem) for sample in result.samples] == [True, False, True]
    assert "damaged" in result.samples[0].problem and not result.samples[0].metrics
    assert result.figures["all"]["mean"].count == 1

    class Mute:
        name = "mute"

        def service(self, question, answer, role):
            raise JudgeError("No verdict.")

    assert service.score(made[1:2], outputs, make_ear("own"), Mute()).samples[0].problem == "No verdict."
