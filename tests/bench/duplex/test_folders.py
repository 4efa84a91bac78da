"""Folders of both versions become cases; whatever is wrong with one is named and nothing else is lost."""

import json
from pathlib import Path

import pytest

from personaplex.bench.duplex.folders import clean_case, is_clean, outputs_in, read_cases, read_distribution
from personaplex.errors import UserError

TURN = [{"text": "[TURN-TAKING]", "timestamp": [2.0, 2.4]}]
OVERLAP = {"context_text": "Where is it?", "current_turn_text": "Sorry, when?", "timestamps": [5.0, 6.5]}


def put(folder: Path, **files):
    """Write files into a new folder: JSON, or text as it is."""
    folder.mkdir(parents=True)
    (folder / "input.wav").write_bytes(b"sound")
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text)
    return folder


def named(problems):
    return {sample.id.removeprefix("duplex/"): sample.problem for sample in problems}


def test_the_five_tasks(tmp_path):
    words = [{"speaker": 0, "item": [{"text": "I ", "timestamp": [2.0, 2.4]}]}]
    put(tmp_path / "candor_turn_taking/10", turn_taking=TURN, transcription=words)
    put(tmp_path / "candor_turn_taking/9", turn_taking=TURN)
    put(tmp_path / "synthetic_pause_handling/1", pause=[{"text": "[PAUSE]", "timestamp": [3.3, 4]}])
    put(tmp_path / "icc_backchannel/0", transcription=[])
    interrupt = [{"context": "Books?", "interrupt": "No, films.", "timestamp": [10.5, 13.1]}]
    put(tmp_path / "synthetic_user_interruption/7", interrupt=interrupt)
    (tmp_path / "candor_turn_taking/.DS_Store").write_text("")
    cases, problems = read_cases(tmp_path)
    assert problems == []
    assert [case.id.removeprefix("duplex/") for case in cases] == [
        "synthetic_pause_handling/1",
        "candor_turn_taking/9",  # by number, not by letter
        "candor_turn_taking/10",
        "icc_backchannel/0",
        "synthetic_user_interruption/7",
    ]
    assert cases[0].truth == {"pauses": [[3.3, 4.0]]}
    assert cases[2].truth == {"turn": [2.0, 2.4], "user_words": [["I", 2.0, 2.4]]}
    assert cases[4].truth == {"context": "Books?", "interrupt": "No, films.", "span": [10.5, 13.1], "answer": None}
    assert cases[4].source == tmp_path / "synthetic_user_interruption/7/input.wav"


def test_v15_and_versions_below(tmp_path):
    place = put(tmp_path / "v1_5/user_backchannel/3", metadata=OVERLAP)
    put(tmp_path / "v1_0/candor_turn_taking/1", turn_taking=TURN)
    cases, problems = read_cases(tmp_path)
    assert [case.id for case in cases] == ["duplex/candor_turn_taking/1", "duplex/user_backchannel/3"]
    assert "clean_input.wav is missing" in named(problems)["user_backchannel/3/clean_input.wav"]
    (place / "clean_input.wav").write_bytes(b"sound")
    cases, problems = read_cases(tmp_path)
    whole, clean = cases[1:]
    assert problems == [] and is_clean(clean) and not is_clean(whole) and clean == clean_case(whole)
    assert whole.truth == {"context": "Where is it?", "overlap": "Sorry, when?", "span": [5.0, 6.5]}
    assert clean.source.name == "clean_input.wav" and clean.id == "duplex/user_backchannel/3/clean"
    assert outputs_in(tmp_path)(whole) == place


def test_what_is_wrong_is_named(tmp_path):
    task = tmp_path / "candor_turn_taking"
    put(task / "1", turn_taking=TURN)
    put(task / "2")
    put(task / "3", turn_taking="{not json")
    put(task / "4", turn_taking=[])
    put(task / "5", turn_taking=[{"timestamp": ["soon", 3]}])
    put(task / "6", turn_taking=[{"timestamp": [3.0, 2.0]}])
    put(task / "seven", turn_taking=TURN)
    (put(task / "8", turn_taking=TURN) / "input.wav").unlink()
    (put(task / "9", turn_taking=TURN, transcription="[") / "todo.txt").write_text("")
    (task / "stray.txt").write_text("")
    put(tmp_path / "candor_pause_handling/1", pause="[")
    (tmp_path / "holiday").mkdir()
    cases, problems = read_cases(tmp_path)
    kept = ["candor_pause_handling/1", "candor_turn_taking/1", "candor_turn_taking/9"]
    assert [case.id.removeprefix("duplex/") for case in cases] == kept  # a pause is scored without its annotation
    found = named(problems)
    for number, text in {"2": "missing", "3": "no JSON", "4": "malformed", "5": "malformed", "6": "malformed"}.items():
        assert f"turn_taking.json is {text}" in found[f"candor_turn_taking/{number}"]
    assert "no number" in found["candor_turn_taking/seven"]
    assert "input.wav is missing" in found["candor_turn_taking/8"]
    assert (
        "extra file" in found["candor_turn_taking/9/todo.txt"] and "extra file" in found["candor_turn_taking/stray.txt"]
    )
    assert "transcription.json is no JSON" in found["candor_turn_taking/9/transcription.json"]
    assert "pause.json is no JSON" in found["candor_pause_handling/1/pause.json"]
    assert "no task" in found["holiday"]
    assert len(problems) == 12 and len(found) == 12
    assert len(read_cases(tmp_path, sound=False)[0]) == 4  # where only outputs are scored, 8 needs no input.wav


def test_no_task_at_all(tmp_path):
    with pytest.raises(UserError, match="no task folder"):
        read_cases(tmp_path)
    with pytest.raises(UserError, match="no task folder"):
        read_cases(tmp_path / "absent")


def test_ground_truth(tmp_path):
    file = tmp_path / "truth.json"
    file.write_text('{"0": [0.25, 0.75]}')
    assert read_distribution(file) == {"0": [0.25, 0.75]}
    for bad in ("[]", "{", '{"0": []}', '{"0": [0, 0]}', '{"0": [-1, 2]}', '{"0": ["a"]}'):
        file.write_text(bad)
        with pytest.raises(UserError, match="truth.json"):
            read_distribution(file)
