"""Corpora: the timing rules of a conversation, and files that depend on nothing but seed and index."""

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.speech.engines import _ENGINES, Voices
from personaplex.speech.speakers import AGENTS, HELD_OUT, random_agent, random_user
from personaplex.speech.tts import MissingEngine, SpeechError, words_of
from personaplex.synth.__main__ import synth
from personaplex.synth.channel import user_microphone
from personaplex.synth.corpus import Plan, generate, write_dialogue
from personaplex.synth.dialogue import MAX_SECONDS, MIN_SECONDS, perform
from personaplex.synth.samples import write_voice
from personaplex.synth.scenarios import USUAL, draw_script
from tests.synth.buzz import Buzz


def dialogues(count, mix=USUAL):
    for index in range(count):
        rng = np.random.default_rng(index)
        yield perform(draw_script(rng, "train", mix), Buzz(), AGENTS["NATF0"], random_user(rng, "train"), 0.5, rng)


def test_timing_rules():
    kinds, gaps = set(), []
    for made in dialogues(100):
        assert len(made.agent) == len(made.user) and len(made.agent) % FRAME_SAMPLES == 0
        assert MIN_SECONDS <= made.seconds <= MAX_SECONDS + 8  # a story has pauses
        kinds |= {turn.kind for turn in made.turns}
        for before, after in zip(made.turns, made.turns[1:], strict=False):
            if {"backchannel", "aside"} & {before.kind, after.kind}:
                continue
            if after.who == "agent" and after is not made.turns[0]:
                gaps.append(after.start - before.end)
                waits = before.kind in ("statement", "story")
                assert (0.99 if waits else -0.31) <= gaps[-1] <= (1.51 if waits else 0.81)
            if after.kind == "interruption":
                assert before.kind == "cut" and 0.13 <= before.end - after.start <= 0.35
        for word, start, end, _ in made.words:
            assert word and 0 <= start < end <= made.seconds
    assert 0.3 < np.median(gaps) < 0.6 and 0 < np.mean(np.array(gaps) < 0) < 0.08
    assert {"cut", "interruption", "backchannel", "question", "answer"} <= kinds


def test_the_agent_murmurs_in_a_story_where_a_clause_has_ended():
    murmurs, stories = 0, 0
    for made in dialogues(20, {"story": 1.0}):
        ends = [end for _, _, end, who in made.words if who == "user"]
        for story in (turn for turn in made.turns if turn.intent == "story" and turn.who == "user"):
            mine = [t for t in made.turns if t.kind == "backchannel" and story.start < t.start < story.end]
            assert all(min(t.start - end for end in ends if end <= t.start) < 0.3 for t in mine)
            assert all(after.start - before.start > 2.4 for before, after in zip(mine, mine[1:], strict=False))
            murmurs, stories = murmurs + len(mine), stories + 1
    assert stories >= 10 and murmurs >= 3 * stories


def test_users_alone_are_neither_answered_nor_listened_to():
    spoken = []
    for made in dialogues(20, {"alone": 1.0}):
        assert not made.agent.any() and {turn.who for turn in made.turns} <= {"user"}
        spoken.append(sum(end - start for _, start, end, _ in made.words) / made.seconds)
    assert np.median(spoken) > 0.6


def test_the_agent_is_silent_outside_its_turns():
    for made in dialogues(40):
        quiet = np.ones(len(made.agent), bool)
        for turn in made.turns:
            if turn.who == "agent":
                quiet[int(turn.start * SAMPLE_RATE) - 2 : int(turn.end * SAMPLE_RATE) + 2] = False
        assert not made.agent[quiet].any()


def test_words_of_a_cut_turn_were_heard():
    cut = 0
    for made in dialogues(60):
        for turn in made.turns:
            if turn.kind == "cut":
                spoken = [
                    w
                    for w, a, b, who in made.words
                    if who == "agent" and turn.start - 1e-6 <= a and b <= turn.end + 0.03
                ]
                assert spoken == words_of(turn.text)
                cut += 1
    assert cut > 5


def test_where_a_script_says_so_the_user_breaks_in():
    kinds = [turn.kind for made in dialogues(20, {"interrupted": 1.0}) for turn in made.turns]
    assert kinds.count("interruption") > 0.6 * kinds.count("question")


def test_microphone_keeps_length_and_range():
    rng = np.random.default_rng(0)
    speech = np.sin(np.arange(SAMPLE_RATE) / 15).astype(np.float32)
    for _ in range(20):
        out, drawn = user_microphone(speech, speech, rng)
        assert out.shape == speech.shape and out.dtype == np.float32 and np.abs(out).max() <= 1
        assert (drawn.snr_db is None) == (drawn.noise is None) and drawn.line in ("clean", "loud", "telephone")
    assert np.isfinite(user_microphone(np.zeros_like(speech), speech, rng)[0]).all()


@pytest.fixture
def engines():
    rng = np.random.default_rng(0)
    try:
        for speaker in (AGENTS["NATF0"], random_user(rng, "test"), random_user(rng, "test"), random_user(rng, "test")):
            Voices().say("hello", speaker)
    except SpeechError as error:
        pytest.skip(str(error))


def test_files_depend_on_seed_and_index_alone(tmp_path, engines):
    sounds = []
    for name, order in (("one", (1, 2)), ("two", (2, 1))):
        plan = Plan(tmp_path / name, 3, "test")
        (plan.folder / "audio").mkdir(parents=True)
        for index in order:
            write_dialogue(plan, index)
        sounds.append(
            [(plan.folder / f"audio/00000{i}.{ext}").read_bytes() for i in (1, 2) for ext in ("flac", "json")]
        )
    assert sounds[0] == sounds[1]
    stereo, rate = soundfile.read(tmp_path / "one/audio/000001.flac")
    marks = json.loads((tmp_path / "one/audio/000001.json").read_text())
    assert rate == SAMPLE_RATE and stereo.shape == (round(marks["duration"] * SAMPLE_RATE), 2)
    assert {label for _, _, label in marks["alignments"]} <= {"SPEAKER_MAIN", "SPEAKER_USER"}
    write_voice(tmp_path, AGENTS["NATM0"], 0)
    sample, _ = soundfile.read(tmp_path / "voices/NATM0_0.flac")
    assert 3.5 <= len(sample) / SAMPLE_RATE <= 5.2


def test_agents_whom_nobody_has_met_leave_a_sample_of_their_voice(tmp_path, engines):
    plan = Plan(tmp_path, 3, "train", (), new_voices=1.0)
    (tmp_path / "audio").mkdir()
    marks = []
    for index in (1, 2):
        write_dialogue(plan, index)
        marks.append(json.loads((tmp_path / f"audio/00000{index}.json").read_text()))
    one, two = (mark["voice_prompt"] for mark in marks)
    assert one.startswith("voices/new/agent-") and one != two
    assert 3.5 <= soundfile.info(tmp_path / one).duration <= 5.2
    assert not {mark["voice"] for mark in marks} & AGENTS.keys()
    drawn = [random_agent(np.random.default_rng(seed), ("pico en-US", "kokoro jm_kumo")) for seed in range(40)]
    buzzing = [speaker for speaker in drawn if speaker.engine == "espeak"]
    assert 4 < len(buzzing) < 20
    assert {speaker.voice for speaker in drawn if speaker not in buzzing} == {"slt", "rms", "awb", "en-US"}
    assert not {speaker.voice for speaker in drawn} & HELD_OUT.keys()


@pytest.mark.slow
def test_a_whole_corpus_and_its_continuation(tmp_path, engines, monkeypatch):
    monkeypatch.setattr("personaplex.synth.corpus.VOICE_PROMPTS", 1)  # here, where jobs are given out
    monkeypatch.setattr("personaplex.synth.corpus.AGENTS", {"NATF0": AGENTS["NATF0"]})
    stats = generate(Plan(tmp_path, 1, "train"), count=3, jobs=1, progress=False)
    assert stats["dialogues"] == 3 and stats["hours"] > 0
    rows = [json.loads(line) for line in (tmp_path / "data.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == [f"audio/00000{i}.flac" for i in (1, 2, 3)]
    made = (tmp_path / "audio/000001.flac").stat().st_mtime_ns
    generate(Plan(tmp_path, 1, "train"), count=4, jobs=1, progress=False)
    assert (tmp_path / "audio/000001.flac").stat().st_mtime_ns == made
    assert len((tmp_path / "text.txt").read_text().splitlines()) > 5
    assert stats["redrawn"] == 0 and stats["writers"] == {"grammar": 3} and sum(stats["user_engines"].values()) == 3
    assert "000003.flac" in (tmp_path / "index.html").read_text()
    with pytest.raises(UserError, match="was begun with seed 1; this is with seed 2"):
        generate(Plan(tmp_path, 2, "train"), count=3, progress=False)
    begun = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(begun | {"engines": ["flite", "parrot"]}))
    with pytest.raises(UserError, match="was begun with engines flite, parrot; this is with engines flite, espeak"):
        generate(Plan(tmp_path, 1, "train"), count=3, progress=False)


@pytest.mark.parametrize(("error", "redrawn"), [(SpeechError, 1), (MissingEngine, None)])
def test_another_script_where_an_engine_refuses_one_but_not_where_it_is_absent(tmp_path, monkeypatch, error, redrawn):
    class Refusing(Buzz):
        asked = 0

        def say(self, text, speaker):
            self.asked += 1
            if self.asked == 1:
                raise error("no")
            return super().say(text, speaker)

    voices = Refusing()
    monkeypatch.setattr("personaplex.synth.corpus.process_voices", lambda: voices)
    monkeypatch.setattr("personaplex.synth.corpus.agent_gain", lambda agent: 0.5)
    (tmp_path / "audio").mkdir()
    if redrawn is None:
        with pytest.raises(MissingEngine):
            write_dialogue(Plan(tmp_path, 1, "train", ()), 1)
        assert voices.asked == 1
    else:
        write_dialogue(Plan(tmp_path, 1, "train", ()), 1)
        assert json.loads((tmp_path / "audio/000001.json").read_text())["redrawn"] == redrawn


def test_an_absent_engine_is_said_at_once(tmp_path, monkeypatch):
    def absent():
        raise MissingEngine("espeak-ng is not installed: apt install espeak-ng.")

    monkeypatch.setitem(_ENGINES, "espeak", absent)
    monkeypatch.setitem(_ENGINES, "flite", Buzz)
    plan = Plan(tmp_path / "new", 1, "train", others=())
    with pytest.raises(MissingEngine, match="apt install"):
        generate(plan, count=3, progress=False)
    assert not plan.folder.exists()


def test_the_command_asks_for_an_amount(tmp_path):
    result = CliRunner().invoke(synth, ["--out", str(tmp_path)])
    assert result.exit_code != 0 and "--hours or --count" in result.output
