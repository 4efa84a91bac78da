"""Seeing inside: traces that replay to the same tokens, metrics, logs without secrets, the watermark."""

import io
import json
import logging
import os
import subprocess
import sys

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from personaplex.cli import main
from personaplex.errors import UserError
from personaplex.serve.logs import JsonFormatter
from personaplex.serve.protocols.chat import Kind
from personaplex.serve.trace import read_trace, replay
from personaplex.serve.watermark import CERTAIN, score, spread_spectrum
from tests.serve.talker import PATIENCE, Talker, serving, speech


@pytest.fixture(scope="module")
def traced(model, tmp_path_factory):
    """The directory of the traces of two conversations at once."""
    folder = tmp_path_factory.mktemp("traces")
    with (
        serving(model, sessions=2, traces=folder, backlog=100) as served,
        served.talk(seed=1, voice_prompt="NATM1", text_prompt="You are wise.") as one,
        served.talk(seed=2, text_prompt="") as other,
    ):
        one.begin(), other.begin()
        one.say(speech(12)), other.say(speech(9, 1))
        one.hear(12), other.hear(9)
    return folder


def test_a_trace_replays_to_the_same_tokens(traced, model):
    traces = [read_trace(path) for path in sorted(traced.glob("*.jsonl"))]
    assert sorted(len(trace.frames) for trace in traces) == [9, 12]
    for trace in traces:
        again = replay(trace, model)
        assert (again.differs, again.frames) == (None, len(trace.frames))
    (one,) = (trace for trace in traces if trace.about["seed"] == 1)
    assert one.about["role"] == "You are wise." and one.about["voice"] == "NATM1" and one.about["rows"] == 4
    assert {"tokens", "text", "heard", "speaking", "tick_ms", "queue", "late"} <= one.frames[0].keys()
    for line in one.frames:
        ids, chances, pieces = zip(*line["alternatives"], strict=True)
        assert len(ids) == 5 and sorted(chances, reverse=True) == list(chances)
        assert pieces == tuple(map(model.tokenizer.piece, ids))
    changed = one.sound.copy()
    changed[3] *= 0.5
    assert replay(type(one)(one.about, one.frames, changed), model).differs is not None


def test_the_command_replays_a_trace(traced, model):
    path = next(traced.glob("*.jsonl"))
    result = CliRunner().invoke(main, ["replay", str(path), "--model", str(model.path), "--device", "cpu"])
    assert result.exit_code == 0 and "with the same tokens" in result.stderr


def test_what_is_no_trace_is_a_sentence(tmp_path, traced, model):
    with pytest.raises(UserError, match="cannot be read"):
        read_trace(tmp_path / "none.jsonl")
    (tmp_path / "a.jsonl").write_text("{}\n")
    (tmp_path / "a.f32").write_bytes(b"")
    with pytest.raises(UserError, match="not a trace of this version"):
        read_trace(tmp_path / "a.jsonl")
    trace = read_trace(next(traced.glob("*.jsonl")))
    with pytest.raises(UserError, match="another model"):
        replay(type(trace)({**trace.about, "sha256": "0"}, trace.frames, trace.sound), model)


def test_a_trace_that_cannot_be_written_does_no_harm(model, tmp_path, caplog):
    folder = tmp_path / "traces"
    with serving(model, traces=folder) as served:
        folder.rmdir()
        with served.talk() as talker:
            talker.begin()
            talker.say(speech(3))
            talker.hear(3)
    assert "a trace cannot be written" in caplog.text


def test_metrics(model):
    with serving(model, sessions=1, backlog=10) as served, served.talk() as talker:
        talker.begin()
        talker.say(speech(30))
        while talker.receive()[0] != Kind.AUDIO:
            pass
        with pytest.raises(Exception, match="503"):
            served.talk()
        text = httpx.get(f"{served.url}/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {sample.name: sample.value for sample in samples}
    assert found["personaplex_sessions"] == 1 and found["personaplex_sessions_begun_total"] == 1
    assert found["personaplex_dropped_frames_total"] == 25 and found["personaplex_refused_total"] == 1
    assert found["personaplex_tick_seconds_count"] >= 1 and found["personaplex_frames_total"] >= 1
    assert found["personaplex_ready_seconds_count"] == 1
    assert {"personaplex_late_frames_total", "personaplex_faults_total"} <= found.keys()  # 0 is told as well
    assert all(sample.labels["model"] == "tiny" for sample in samples)


def test_a_log_line_is_json_with_its_session():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("a %s", "sentence", extra={"session": "sess_1", "frames": 3})
    line = json.loads(stream.getvalue())
    assert line["message"] == "a sentence" and line["session"] == "sess_1" and line["frames"] == 3
    assert line["level"] == "error" and "broken" in line["fault"] and line["time"].endswith("Z")


def test_logs_of_a_server_tell_who_and_how_long_but_no_secret(model, tmp_path):
    key, role = "0123456789abcdef-secret", "You are a wise secret."
    (tmp_path / "keys").write_text(f"{key} name=ada\n")
    options = ["serve", "--model", str(model.path), "--port", "0", "--keys", str(tmp_path / "keys"), "--log-json"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from personaplex.cli import main; main()", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        process.stdout.readline()
        url = next(word for word in process.stdout.readline().split() if word.startswith("http://127.0.0.1:"))
        with Talker(url, key=key, text_prompt=role, format="pcm") as talker:
            name = talker.begin()["id"]
            talker.say(speech(3))
            talker.hear(3)
        assert httpx.get(f"{url}/v1/models?key=wrong-{key}").status_code == 401
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    lines = [json.loads(line) for line in errors.splitlines()]
    assert [line["message"] for line in lines] == ["a conversation began", "a conversation ended"]
    assert all(line["session"] == name and line["owner"] == "ada" and line["protocol"] == "chat" for line in lines)
    assert lines[1]["frames"] == 3 and lines[1]["seconds"] > 0
    assert "secret" not in errors and "key=" not in errors


def test_the_watermark_is_found_wherever_the_sound_is_cut_and_nowhere_else():
    rng = np.random.default_rng(0)
    pcm = (speech(125).astype(np.float32) + rng.normal(0, 300, 125 * 1920)).astype(np.float32) / 32768
    mark = spread_spectrum()
    marked = np.concatenate([mark(frame) for frame in pcm.reshape(-1, 1920)])
    stored = np.rint(marked * 32767).astype(np.int16).astype(np.float32) / 32768
    assert min(score(stored), score(stored[7_777:])) > 3 * CERTAIN > 3 * score(pcm)
    assert np.sqrt(np.mean((marked - pcm) ** 2) / np.mean(pcm**2)) < 0.04
    assert not mark(np.zeros(1920, np.float32)).any()  # silence stays silent


def test_a_server_marks_what_it_says(model):
    plain = marked = None
    for mark in (None, spread_spectrum):
        with serving(model, sessions=1, mark=mark, backlog=200) as served, served.talk(seed=3) as talker:
            talker.begin()
            talker.say(speech(39))
            plain, marked = marked, talker.hear(39)[0].reshape(-1).astype(np.float32) / 32768
    assert score(marked - plain) > CERTAIN  # the conversation is the same, and the mark lies over it
