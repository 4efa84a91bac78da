"""Whole conversations scored: a short one and a part of a long one, by controls and by the synthesiser itself."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from personaplex.audio import read_audio, sound_seconds, write_wav
from personaplex.bench import talk
from personaplex.bench.ears import OwnText, make_ear
from personaplex.bench.judges import make_judge
from personaplex.bench.mini import SUPPLEMENT, MiniSet, unpack
from personaplex.bench.records import Result
from personaplex.bench.suites import Measure, talk_suite
from personaplex.bench.systems.controls import babble, silent
from personaplex.bench.talk.compose import TURNS, script
from personaplex.bench.talk.folders import TALK_JSON
from personaplex.cli import main
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.synth.corpus import Plan, write_dialogue
from personaplex.synth.files import MANIFEST, begin, entry

NO_WORDS = {
    "heard_wer",
    "own_wer",
    "beyond_tts",
    "relative_accuracy",
    "facts_written",
}  # figures that need a text stream


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return MiniSet(unpack(tmp_path_factory.mktemp("packed"), SUPPLEMENT)).talk


@pytest.fixture(scope="module")
def few(packed, tmp_path_factory):
    """One dialogue and the first quarter of the long talk, three turns."""
    folder = tmp_path_factory.mktemp("few")
    shutil.copytree(packed / "dialogue/000001", folder / "dialogue/000001")
    long = packed / "long/0"
    told = json.loads((long / TALK_JSON).read_text())
    told["turns"] = told["turns"][:3]
    for name in ("user_words", "agent_words"):
        told[name] = [word for word in told[name] if word[2] < 45]
    for name in ("input.wav", "tts.wav"):
        write_wav(folder / "long/0" / name, read_audio(long / name)[: 45 * SAMPLE_RATE])
    (folder / "long/0" / TALK_JSON).write_text(json.dumps(told))
    return folder


@pytest.fixture(scope="module")
def ear(few):
    words = [json.loads(path.read_text())["agent_words"] for path in few.glob("*/*/talk.json")]
    return make_ear("pocketsphinx", [" ".join(word[0] for word in said) for said in words])


def scored(data, ear, system, out):
    cases = talk.read_cases(data)
    for _ in system.answer(cases, lambda case: out / case.id):
        pass
    result = talk.score(cases, lambda case: out / case.id, ear, make_judge("rules"))
    assert not result.problems, result.problems
    assert Result.from_json(json.loads(json.dumps(result.to_json()))).scores == result.to_json()["scores"]
    return result


class Written:
    """A system with text streams, whose sound is the synthesiser's and whose words are as told."""

    def __init__(self, **streams):
        self.streams = streams

    def answer(self, cases, folder):
        for case in cases:
            place = folder(case)
            place.mkdir(parents=True)
            shutil.copyfile(case.source.with_name("tts.wav"), place / "output.wav")
            told = {name: " ".join(word[0] for word in case.truth[f"{name}_words"]) for name in ("agent", "user")}
            heard = self.streams["heard"](told["user"]) if "heard" in self.streams else None
            own = {"text": told["agent"], "pieces": []} | ({} if heard is None else {"heard": {"text": heard}})
            (place / "own.json").write_text(json.dumps(own))
            yield case


def test_silence_is_never_speech_and_its_reverse(few, ear, tmp_path):
    result = scored(few, ear, silent(), tmp_path / "s")
    for task in ("dialogue", "long"):
        figures = result.scores[task]
        assert figures["silent"] == figures["silent_turns"] == 1
        assert figures["answered"] == figures["speaks"] == figures["held_turns"] == 0
        assert figures["latency_s"] is None and all(figures[name] is None for name in NO_WORDS)
    assert result.scores["long"]["facts"] == 0 and result.scores["by_turn"]["long"] == [0, 0, 0]
    assert result.ears["stream of heard words"] == result.ears["text stream"] == "none"
    other = scored(few, ear, babble(), tmp_path / "b").scores["long"]
    assert other["silent_turns"] == 0 and other["silent"] < 0.1 and other["speaks"] == 1 and other["held_turns"] == 0


def test_the_synthesiser_in_its_own_place_is_as_good_as_itself(few, ear, tmp_path):
    system = Written(heard=lambda said: said.rsplit(" ", 1)[0])  # all but the last word
    figures = scored(few, ear, system, tmp_path).scores
    for task in ("dialogue", "long"):
        row = figures[task]
        assert row["beyond_tts"] == 0 and row["relative_accuracy"] == 1 and 0 < row["tts_wer"] + 1 < 1.3
        assert 0 < row["heard_wer"] < 0.1
        assert row["answered"] == row["tts_answered"] > 0.6
    assert figures["long"]["silent_turns"] == 1 and figures["long"]["facts"] == figures["long"]["tts_facts"] == 1


def test_a_fact_is_told_from_its_turn_s_end_to_the_next_one_s_and_word_for_word(few, ear, tmp_path):
    case, out = talk.read_cases(few)[0], tmp_path / "out"
    facts = copy.deepcopy(case.truth["turns"])
    ends = [turn["end"] for turn in facts] + [float("inf")]
    said = [[" ".join(word[0] for word in case.truth["agent_words"] if end <= word[1] < after)] for end, after in
            zip(ends, ends[1:], strict=False)]  # fmt: skip
    for turn, words in zip(facts, said, strict=True):
        turn["facts"] = words
    facts[0]["facts"] = [*facts[0]["facts"], "word by word", facts[0]["facts"][0][1:]]
    asked = replace(case, truth=case.truth | {"turns": facts})
    for _ in Written().answer([asked], lambda case: out):
        pass
    own = json.loads((out / "own.json").read_text())
    own["pieces"] = [{"text": text, "start": a, "end": b} for text, a, b in case.truth["agent_words"]]
    (out / "own.json").write_text(json.dumps(own))
    row = talk.score([asked], lambda case: out, ear, make_judge("rules")).scores["dialogue"]
    assert row["facts_written"] == pytest.approx(len(facts) / (len(facts) + 2))
    assert 0 <= row["facts_said"] == row["tts_facts_said"] <= row["facts_written"]
    row = talk.score([case], lambda case: out, OwnText(), make_judge("rules")).scores["dialogue"]
    assert row["facts_written"] is None and row["facts_said"] is None
    nobody = replace(case, truth=case.truth | {"turns": []})  # some dialogues of a corpus are silence
    row = talk.score([nobody, case], lambda case: out, OwnText(), make_judge("rules")).scores["dialogue"]
    assert row["facts_written"] is None and 0 <= row["answered"] <= 1


def test_an_empty_stream_of_heard_words_misses_all_and_an_own_ear_hears_nothing(few, tmp_path):
    row = scored(few, OwnText(), Written(heard=lambda said: ""), tmp_path).scores["long"]
    assert row["heard_wer"] == 1 and row["own_wer"] is None and row["tts_wer"] is None


def test_a_corpus_becomes_cases_and_asides_are_no_turns(tmp_path):
    plan = Plan(tmp_path / "corpus", 5, "test")
    begin(plan.folder, plan.as_dict())
    (plan.folder / MANIFEST).write_text(entry("audio/000001.flac", write_dialogue(plan, 1)))
    marks = plan.folder / "audio/000001.json"
    told = json.loads(marks.read_text())
    user = [turn for turn in told["turns"] if turn["who"] == "user"]
    for at, turn in enumerate(user):  # whatever was drawn
        turn["kind"] = {0: "aside", len(user) - 1: "backchannel"}.get(at, "question")
    agent = [turn for turn in told["turns"] if turn["who"] == "agent" and turn["start"] > user[1]["end"]]
    for turn in told["turns"]:
        turn["fact"] = "two dollars|may" if turn is agent[0] else ""
    marks.write_text(json.dumps(told))
    talk.from_corpus(plan.folder, tmp_path / "data")
    [case] = talk.read_cases(tmp_path / "data")
    sound, _ = soundfile.read(plan.folder / "audio/000001.flac", dtype="float32")
    assert np.abs(read_audio(case.source) - sound[:, 1]).max() < 1e-4
    assert np.abs(read_audio(case.source.with_name("tts.wav")) - sound[:, 0]).max() < 1e-4
    assert case.truth["asides"] == [[user[0]["start"], user[0]["end"]]]
    assert [turn["start"] for turn in case.truth["turns"]] == [turn["start"] for turn in user[1:-1]]
    assert [turn.get("facts") for turn in case.truth["turns"]].count(["two dollars", "may"]) == 1
    assert (case.role, case.voice) == (told["role"], told["voice"])


def test_scripts_of_long_talks_ask_for_what_the_role_tells(tmp_path):
    judge = make_judge("rules")
    for seed in range(8):
        role, exchanges = script(np.random.default_rng(seed))
        assert len(exchanges) == TURNS and all(judged for _, _, judged in exchanges[-3:])
        for question, answer, judged in exchanges:
            if judged:
                asked = {"kind": "Q1", "text": question.text, "must": [question.fact], "wrong": None}
                assert judge.service(asked, answer.text, role).adherent, (question.text, answer.text)


def test_the_box_holds_talks_and_voices_in_few_bytes(packed):
    cases = talk.read_cases(packed)
    assert [case.task for case in cases] == ["dialogue"] * 4 + ["long"]
    assert sound_seconds(cases[-1].source) == pytest.approx(180, abs=2) and len(cases[-1].truth["turns"]) == TURNS
    assert len(list((packed.parent / "voice/others").glob("*.wav"))) == 16
    assert SUPPLEMENT.stat().st_size < 2e6
    assert talk_suite(packed, Measure(OwnText(), make_judge("rules"), chosen=True)).cases == cases


def test_a_recording_is_heard_beside_its_words(packed, tmp_path):
    shutil.copyfile(packed / "dialogue/000001/input.wav", tmp_path / "me.wav")
    [case] = talk.recordings(tmp_path / "me.wav", tmp_path / "copies")
    assert case.truth["said"] is None and not (tmp_path / "copies").exists()
    (tmp_path / "me.txt").write_text("Hello there.\n")
    case, again, third = talk.recordings(tmp_path / "me.wav", tmp_path / "copies", 3, "You are kind.", "NATM0")
    assert case.id == "talk/recording/me" and case.truth["said"] == "Hello there." and case.truth["turns"]
    assert case.source == tmp_path / "me.wav" and (case.role, case.voice) == ("You are kind.", "NATM0")
    assert again.id == "talk/recording/me-2" and again.truth["said"] == "Hello there."
    assert replace(again, name="me", source=case.source, truth=case.truth) == case


def test_copies_of_a_recording_are_moved_by_less_than_a_frame_and_never_clip(packed, tmp_path):
    pcm = read_audio(packed / "dialogue/000001/input.wav")
    write_wav(tmp_path / "me.wav", pcm / np.abs(pcm).max() * 0.9)
    first, *others = (read_audio(case.source) for case in talk.recordings(tmp_path / "me.wav", tmp_path / "copies", 4))
    places = []
    for other in others:
        assert len(other) == len(first) and np.abs(other).max() < 1
        fit = np.correlate(other[: 4 * SAMPLE_RATE + FRAME_SAMPLES], first[: 4 * SAMPLE_RATE], "valid")
        places.append(int(fit.argmax()))
    assert all(0 < place < FRAME_SAMPLES for place in places) and len(set(places)) == 3


def test_a_recording_is_measured_several_times_without_any_corpus(packed, tmp_path):
    write_wav(tmp_path / "me.wav", read_audio(packed / "dialogue/000001/input.wav")[: 12 * SAMPLE_RATE])
    command = ["bench", "talk", "--recording", str(tmp_path / "me.wav"), "--times", "2", "--systems", "silent"]
    result = CliRunner().invoke(main, [*command, "--out", str(tmp_path / "out"), "--json", str(tmp_path / "f.json")])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "f.json").read_text())["talk"]["recording"]["silent"] == 1
    assert sorted(path.stem for path in (tmp_path / "out/data/recordings").iterdir()) == ["me-2"]


def test_what_is_no_corpus_and_no_talk_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="no corpus"):
        talk.from_corpus(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="no talk"):
        talk.read_cases(tmp_path)
    result = CliRunner().invoke(main, ["bench", "talk", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and "no corpus" in result.stderr
