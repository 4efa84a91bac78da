"""The set in the box: what it holds, and that it can be packed, unpacked and made anew."""

import json
from collections import Counter

import numpy as np
import pytest

from personaplex.audio import read_audio, sound_seconds, write_wav
from personaplex.bench import service
from personaplex.bench.duplex import read_cases
from personaplex.bench.duplex.folders import TASKS, read_distribution
from personaplex.bench.mini import ARCHIVE, MiniSet, build, pack, unpack
from personaplex.bench.mini.duplex import listeners
from personaplex.bench.service import KINDS
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.vad import speech_segments


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    return MiniSet(unpack(tmp_path_factory.mktemp("mini")))


@pytest.fixture(scope="module")
def cases(mini):
    found, problems = read_cases(mini.duplex)
    assert not problems
    return found


def test_it_touches_every_task_in_few_minutes_and_few_bytes(mini, cases):
    questions = service.read_cases(mini.service)
    assert set(Counter(case.task for case in cases)) == set(TASKS)
    assert Counter(case.task for case in questions) == dict.fromkeys(KINDS, 2)
    assert not [case for case in questions if case.truth.get("problem")]
    assert 8 < sum(sound_seconds(case.source) for case in [*cases, *questions]) / 60 < 13
    assert ARCHIVE.stat().st_size < 2.6e6


def test_its_annotations_are_where_the_speech_is(cases):
    """As silero-vad hears it through the compression and the noise: turns end, and interruptions lie, as annotated."""
    for case in cases:
        if case.task == "candor_turn_taking":
            assert speech_segments(read_audio(case.source))[-1][1] == pytest.approx(case.truth["turn"][0], abs=0.25)
        elif case.task == "synthetic_user_interruption":
            start, end = case.truth["span"]
            speech = speech_segments(read_audio(case.source), min_silence=0.5)
            assert speech[-1] == (pytest.approx(start, abs=0.25), pytest.approx(end, abs=0.25))
            assert start - speech[-2][1] > 1.7  # room for an answer to begin in
            assert sound_seconds(case.source.with_name("interrupt.wav")) == pytest.approx(end - start, abs=0.001)
        elif case.task.endswith("pause_handling"):
            assert case.truth["pauses"]
            left = sound_seconds(case.source) - speech_segments(read_audio(case.source))[-1][1]
            assert left < 0.4  # no time to answer in: an answer is a take-over


def test_its_backchannels_are_expected_after_clauses(mini, cases):
    truth = read_distribution(mini.ground_truth)
    stories = [case for case in cases if case.task == "icc_backchannel"]
    assert truth.keys() == {case.name for case in stories}
    for case in stories:
        assert len(truth[case.name]) == int(sound_seconds(case.source) / 0.2) + 1
        assert sum(truth[case.name]) == pytest.approx(1)
    shares = listeners([1.0, 3.0], [1.0, 0.5], 4.1)  # peaks 0.35 s later: in the bins of 1.3 and 3.3 s
    assert np.argsort(shares)[-1] == 6 and shares[16] == pytest.approx(shares[6] / 2, rel=0.01)


def test_overlapping_speech_has_a_clean_twin(cases):
    """The same up to the overlap, and as long."""
    noisy = [case for case in cases if case.task == "talking_to_other" and "/" not in case.name]
    for case in noisy:
        one, other = read_audio(case.source), read_audio(case.source.with_name("clean_input.wav"))
        start = round((case.truth["span"][0] - 0.05) * SAMPLE_RATE)
        assert len(one) == len(other)
        assert np.sqrt(np.mean((one[:start] - other[:start]) ** 2)) < 0.005
        assert np.sqrt(np.mean((one[start:] - other[start:]) ** 2)) > 0.01


def test_what_is_packed_comes_back_and_again_the_same(tmp_path):
    tone = 0.3 * np.sin(2 * np.pi * 300 / SAMPLE_RATE * np.arange(SAMPLE_RATE // 2)).astype(np.float32)
    write_wav(tmp_path / "a/duplex/1/input.wav", tone)
    (tmp_path / "a/notes.json").write_text("{}")
    pack(tmp_path / "a", tmp_path / "one.zip")
    pack(tmp_path / "a", tmp_path / "two.zip")
    first, second = (
        unpack(tmp_path / folder, tmp_path / archive) / "duplex/1/input.wav"
        for folder, archive in (("b", "one.zip"), ("c", "two.zip"))
    )
    assert first.read_bytes() == second.read_bytes()
    pcm = read_audio(first)
    assert len(pcm) == len(tone) and np.sqrt(np.mean((pcm - tone) ** 2)) < 0.02
    assert (tmp_path / "b/notes.json").read_text() == "{}"


def test_unpacking_twice_leaves_what_is_there(mini):
    marker = mini.folder / "own.txt"
    marker.write_text("mine")
    file = mini.service / "0" / "metadata.json"
    before = file.stat().st_mtime_ns
    unpack(mini.folder)
    assert marker.exists() and file.stat().st_mtime_ns == before


def test_a_damaged_archive_is_one_sentence(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="damaged"):
        unpack(tmp_path / "out", tmp_path / "x.zip")


@pytest.mark.slow
def test_it_can_be_spoken_anew(tmp_path):
    made = build(tmp_path, seed=8)
    found, problems = read_cases(made.duplex)
    packed, _ = read_cases(MiniSet(unpack(tmp_path / "packed")).duplex)
    assert not problems and [case.id for case in found] == [case.id for case in packed]
    words = json.loads((made.duplex / "v1_0/candor_turn_taking/2/transcription.json").read_text())[0]["item"]
    assert [word["text"] for word in words] == "how many days are in a week".split()
