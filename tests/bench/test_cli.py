"""`personaplex bench` as a user types it."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from personaplex.audio import write_wav
from personaplex.bench.mini import MiniSet, unpack
from personaplex.cli import main
from personaplex.frames import SAMPLE_RATE

PUBLISHED = {  # the figures of Full-Duplex-Bench v1
    "synthetic_pause_handling": {"tor"},
    "candor_pause_handling": {"tor"},
    "candor_turn_taking": {"tor", "latency_s"},
    "icc_backchannel": {"tor", "frequency_hz", "jsd", "corrected"},
    "synthetic_user_interruption": {"tor", "latency_s", "score", "ours"},
}


def bench(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def words(*spans):
    chunks = [{"text": f"word{k}", "timestamp": list(span)} for k, span in enumerate(spans)]
    return json.dumps({"text": " ".join(chunk["text"] for chunk in chunks), "chunks": chunks})


@pytest.fixture
def benchmark_data(tmp_path):
    """Outputs beside the annotations of five tasks, as somebody else's run left them; no input.wav anywhere."""
    marks = {
        "synthetic_pause_handling": ("pause.json", [{"text": "[PAUSE]", "timestamp": [1.0, 2.0]}]),
        "candor_pause_handling": ("pause.json", [{"text": "[PAUSE]", "timestamp": [1.0, 2.0]}]),
        "candor_turn_taking": ("turn_taking.json", [{"text": "[TURN-TAKING]", "timestamp": [2.0, 2.4]}]),
        "synthetic_user_interruption": (
            "interrupt.json",
            [{"context": "a book?", "interrupt": "no, a film?", "timestamp": [3.0, 4.0]}],
        ),
        "icc_backchannel": (None, None),
    }
    for task, (name, content) in marks.items():
        place = tmp_path / "data" / task / "1"
        place.mkdir(parents=True)
        if name:
            (place / name).write_text(json.dumps(content))
        (place / "output.json").write_text(words((4.5, 5.0), (5.0, 6.0)))
    write_wav(tmp_path / "data/icc_backchannel/1/output.wav", np.zeros(SAMPLE_RATE * 3, np.float32))
    (tmp_path / "gt.json").write_text('{"1": [0.5, 0.5]}')
    return tmp_path / "data"


def test_a_folder_of_outputs_is_scored_in_the_published_shape(benchmark_data, tmp_path):
    before = sorted(path for path in benchmark_data.rglob("*"))
    result = bench(
        "duplex", "--data", benchmark_data, "--outputs", benchmark_data, "--out", tmp_path / "out",
        "--json", tmp_path / "figures.json", "--gt-distribution", tmp_path / "gt.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "figures.json").read_text())
    assert {task: set(figures) for task, figures in told["duplex"].items()} == PUBLISHED
    assert told["duplex"]["candor_turn_taking"] == {"tor": 1.0, "latency_s": 2.5}  # from 2.0 to 4.5
    assert told["duplex"]["synthetic_user_interruption"]["latency_s"] == 0.5
    assert told["duplex"]["icc_backchannel"]["jsd"] == 1.0  # no backchannel
    assert told["meta"]["ear"] and told["meta"]["judge"] and told["meta"]["seed"] == 0
    assert told["problems"] == []
    assert (tmp_path / "out/report.html").is_file()
    assert sorted(path for path in benchmark_data.rglob("*")) == before


def test_what_is_missing_is_named_and_counted(benchmark_data, tmp_path):
    (benchmark_data / "candor_turn_taking/1/output.json").unlink()
    (benchmark_data / "candor_turn_taking/one").mkdir()
    result = bench(
        "duplex", "--data", benchmark_data, "--outputs", benchmark_data, "--out", tmp_path / "out", "--json",
        tmp_path / "figures.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "figures.json").read_text())
    assert told["duplex"]["candor_turn_taking"] == {"tor": None, "latency_s": None}
    assert {problem["id"] for problem in told["problems"]} == {
        "duplex/candor_turn_taking/1",
        "duplex/candor_turn_taking/one",
    }
    assert "2 with a problem" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["all"], "--mini"),
        (["all", "--mini", "--systems", "nano,cascade", "--model", "nano"], "give one"),
        (["all", "--mini", "--systems", "no-such-model"], "no-such-model"),
        (["duplex", "--data", "."], "task folder"),
        (["service", "--data", "nowhere"], "nowhere"),
        (["all", "--mini", "--judge", "gpt"], "endpoint"),
        (["all", "--mini", "--ear", "cotton"], "cotton"),
        (["card"], "results.json"),
        (["duplex", "--data", ".", "--outputs", "nowhere"], "task folder"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = bench(*arguments)
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr and len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["duplex", "service", "voice", "talk", "all", "mini", "card"])
def test_help_teaches_by_examples(command):
    result = bench(command, "--help")
    assert result.exit_code == 0 and f"personaplex bench {command}" in result.output


def test_the_mini_set_can_be_written(tmp_path):
    result = bench("mini", "--out", tmp_path / "set")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "set/duplex/v1_0/candor_turn_taking/0/input.wav").is_file()


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """A few samples of each kind of the mini set."""
    mini = MiniSet(unpack(tmp_path_factory.mktemp("part")))
    shutil.rmtree(mini.voice)
    shutil.rmtree(mini.duplex / "v1_5")
    for task, kept in (
        ("synthetic_pause_handling", 2), ("candor_pause_handling", 2), ("candor_turn_taking", 3),
        ("synthetic_user_interruption", 2), ("icc_backchannel", 1),
    ):  # fmt: skip
        for place in (mini.duplex / "v1_0" / task).iterdir():
            if int(place.name) >= kept:
                shutil.rmtree(place)
    for place in sorted(mini.service.iterdir())[7:]:
        shutil.rmtree(place)
    return mini.folder


@pytest.mark.slow
def test_every_metric_tells_the_controls_apart(part, tmp_path):
    """What each control is bad at, it is found bad at; and a second run has nothing left to do."""
    arguments = (
        "all", "--data", part, "--systems", "silent,echo,babble,cascade", "--ear", "pocketsphinx-domain",
        "--out", tmp_path / "out", "--json", tmp_path / "figures.json",
    )  # fmt: skip
    result = bench(*arguments)
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "figures.json").read_text())["systems"]
    duplex = {name: figures["duplex"] for name, figures in told.items()}
    pauses, turn, interruption = (
        ("synthetic_pause_handling", "candor_pause_handling"),
        "candor_turn_taking",
        ("synthetic_user_interruption"),
    )
    assert [duplex["silent"][task]["tor"] for task in pauses] == [0, 0]
    assert duplex["silent"][turn]["tor"] == 0 and duplex["silent"][interruption]["tor"] == 0
    assert duplex["silent"]["icc_backchannel"] | {"corrected": 0} == {
        "tor": 0, "frequency_hz": 0, "jsd": 1, "corrected": 0
    }  # fmt: skip
    assert [duplex["babble"][task]["tor"] for task in pauses] == [1, 1]
    assert duplex["babble"][turn] == {"tor": 1, "latency_s": 0}
    assert duplex["babble"]["icc_backchannel"]["corrected"]["tor"] == 1
    assert duplex["cascade"][turn]["tor"] == 1 and duplex["cascade"][turn]["latency_s"] > 0.7
    for name in ("silent", "echo", "babble"):
        assert told[name]["service"]["mean"] < 1.5, name
    assert told["cascade"]["service"]["mean"] > told["echo"]["service"]["mean"] + 1
    assert told["cascade"]["service"]["system_latency_s"] > 0.7
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("output.*")}
    assert bench(*arguments).exit_code == 0
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("output.*")}
