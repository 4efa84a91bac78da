"""Recordings: what is in them, whose they are, how they end, and that a full disk ends nothing else."""

import base64
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import av
import httpx
import numpy as np
import pytest
import soundfile
from websockets.sync.client import connect

from personaplex.errors import UserError
from personaplex.serve.archive import CUT, Archive
from personaplex.serve.guard import Guard
from personaplex.serve.keys import Keys
from personaplex.serve.protocols.chat import Kind
from personaplex.serve.recordings import Recordings
from tests.serve.talker import PATIENCE, Talker, serving, speech

ADA, BOB = "0123456789abcdef-ada", "0123456789abcdef-bob"
ABOUT = {
    "owner": "", "session": "sess_1", "protocol": "chat", "model": "tiny", "voice": None, "voice_name": None,
    "role": "", "sampling": {}, "seed": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    keys = Keys([f"{ADA} name=ada", f"{BOB} name=bob"])
    folder = tmp_path_factory.mktemp("recordings")
    with serving(model, sessions=2, backlog=500, guard=Guard(keys), record=folder) as served:
        served.folder = folder
        yield served


def ask(server, method, path="", key=ADA, headers=None, **more):
    headers = {"authorization": f"Bearer {key}", **(headers or {})}
    return httpx.request(method, f"{server.url}/v1/recordings{path}", headers=headers, **more)


def listed(server, count, key=ADA):
    """An owner's recordings, once there are so many."""
    end = time.monotonic() + PATIENCE
    while len(found := ask(server, "GET", key=key).json()["data"]) != count:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def converse(server, frames=40, key=ADA, **query):
    with server.talk(**{"key": key, "record": 1, **query}) as talker:
        about = talker.begin()
        talker.say(speech(frames))
        sound, words = talker.hear(frames)
    return about, sound, words


@pytest.fixture(scope="module")
def recorded(server):
    """A conversation as its client knows it, and as the server recorded it."""
    told = converse(server, voice_prompt="NATM1", text_prompt="You are wise.", seed=7)
    return told, listed(server, 1)[0]


def test_both_sides_are_in_it_with_words_and_events(server, recorded):
    (about, sound, words), one = recorded
    assert about["recording"] is True
    assert one["session"] == about["id"] and one["voice"] == "NATM1" and one["role"] == "You are wise."
    assert one["seconds"] == 3.2 and one["model"] == "tiny" and one["seed"] == 7 and one["protocol"] == "chat"
    assert abs(one["started"] - time.time()) < 600 and one["ended"] == "done" and "owner" not in one

    details = ask(server, "GET", f"/{one['id']}").json()
    written = "".join(piece["text"] for piece in details["transcript"] if piece["side"] == "agent")
    assert words and written.startswith(words)  # the client left before the last word came
    assert all(0 <= piece["start"] < 3.2 for piece in details["transcript"])
    assert details["events"][-1] == {"event": "ended", "time": 3.2, "reason": "done"}
    assert "user_began" in [event["event"] for event in details["events"]]

    answer = ask(server, "GET", f"/{one['id']}/audio")
    stereo, rate = soundfile.read(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "audio/ogg" and rate == 24_000 and stereo.shape == (40 * 1920, 2)
    spoken = speech(40).astype(np.float32) / 32768, sound.reshape(-1).astype(np.float32) / 32768
    for side, said in enumerate(spoken):  # user left, agent right, in time with one another
        assert (
            np.corrcoef(stereo[:, side], said)[0, 1]
            > 0.8
            > 3 * abs(np.corrcoef(stereo[:, side], spoken[1 - side])[0, 1])
        )


def test_ranges_and_downloads(server, recorded):
    path = f"/{recorded[1]['id']}/audio"
    whole = ask(server, "GET", path).content
    part = ask(server, "GET", path, headers={"range": "bytes=100-199"})
    assert part.status_code == 206 and part.content == whole[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert ask(server, "GET", path, headers={"range": f"bytes={len(whole)}-"}).status_code == 416
    download = ask(server, "GET", path, params={"download": 1})
    assert "attachment" in download.headers["content-disposition"]


def test_another_key_does_not_know_of_it(server, recorded):
    path = f"/{recorded[1]['id']}"
    assert listed(server, 0, BOB) == []
    for method, address in (("GET", path), ("GET", f"{path}/audio"), ("DELETE", path)):
        answer = ask(server, method, address, BOB)
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"
    assert ask(server, "GET", path).status_code == 200
    for name in ("rec_0", "..", "%2e%2e%2findex.sqlite", "index.sqlite", "' or 1=1 --", "%00"):
        assert ask(server, "GET", f"/{name}/audio").status_code == 404


@pytest.mark.parametrize("said", ["", "0"])
def test_a_client_that_does_not_ask_for_it_is_not_recorded(server, said):
    about, *_ = converse(server, 3, BOB, record=said)
    assert about["recording"] is False
    converse(server, 3, BOB)
    assert len(listed(server, 1, BOB)) == 1
    assert ask(server, "DELETE", f"/{listed(server, 1, BOB)[0]['id']}", BOB).status_code == 204
    assert listed(server, 0, BOB) == [] and len(list(server.folder.glob("rec_*"))) == 2 * len(listed(server, 1))


def answered(socket, opening, sound, by):
    """Begin and speak until the agent does; the events up to then."""
    seen = []
    socket.send(json.dumps(opening))
    while not seen or by not in seen[-1].values():
        try:
            seen.append(json.loads(socket.recv(timeout=0.1)))
        except TimeoutError:
            socket.send(json.dumps(sound))
    return seen


@pytest.mark.parametrize("asked", [True, False, None])
def test_other_protocols_ask_for_it_in_their_own_words(server, monkeypatch, asked):
    begin, begun = server.service.recordings.begin, []
    monkeypatch.setattr(
        server.service.recordings, "begin", lambda **about: begun.append(about["protocol"]) or begin(**about)
    )
    address, sound = server.url.replace("http", "ws", 1), base64.b64encode(speech(1).tobytes()).decode()
    with connect(f"{address}/v1/realtime?key={BOB}", open_timeout=PATIENCE) as socket:
        session = {"instructions": "You are wise.", **({} if asked is None else {"personaplex_record": asked})}
        update = {"type": "session.update", "session": session}
        append = {"type": "input_audio_buffer.append", "audio": sound}
        seen = answered(socket, update, append, by="response.output_audio.delta")
    (updated,) = (event for event in seen if event["type"] == "session.updated")
    assert updated["session"]["personaplex_record"] is bool(asked)
    assert any(event.get("recording") for event in seen) is bool(asked)
    with connect(f"{address}/twilio", open_timeout=PATIENCE) as socket:
        parameters = {"key": BOB, **({} if asked is None else {"record": str(int(asked))})}
        start = {"event": "start", "start": {"customParameters": parameters}}
        answered(socket, start, {"event": "media", "media": {"payload": sound}}, by="media")
    assert begun == (["realtime", "twilio"] if asked else [])
    for one in listed(server, len(begun), BOB):
        assert ask(server, "DELETE", f"/{one['id']}", BOB).status_code == 204


def test_recording_is_off_by_default(model):
    with serving(model) as served:
        with served.talk(record=1) as talker:
            assert talker.begin()["recording"] is False
        assert ask(served, "GET").status_code == 404


def test_a_full_disk_ends_the_recording_and_not_the_conversation(model, tmp_path, monkeypatch):
    write, written = soundfile.SoundFile.write, []

    def fills_up(self, data):
        written.append(data)
        if len(written) > 15:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, data)

    monkeypatch.setattr(soundfile.SoundFile, "write", fills_up)
    with serving(model, backlog=500, record=tmp_path) as served, served.talk(record=1) as talker:
        talker.begin()
        told, heard = None, 0
        while told is None or heard < 60:
            talker.say(speech(1))
            kind, payload = talker.receive()
            heard += kind == Kind.AUDIO
            if kind == Kind.METADATA and (event := json.loads(payload))["event"] == "recording":
                told = event
        assert told == {"event": "recording", "recording": False, "reason": "it could not be written"}
        (one,) = listed(served, 1)
        assert one["seconds"] == pytest.approx(1.2) and one["ended"] == "it could not be written"
        assert soundfile.info(tmp_path / f"{one['id']}.ogg").duration > 0


def test_a_real_limit_of_the_disk(tmp_path):
    """The operating system refuses to let files grow; what was written until then can be heard."""
    code = """
import resource, sys, time
import numpy as np
from pathlib import Path
from personaplex.serve.recordings import Recordings
recordings = Recordings(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
recording = recordings.begin(**eval(sys.argv[2]))
noise = np.random.default_rng(0).normal(0, 0.1, 1920).astype(np.float32)
while recording.problem is None:
    recording.frame(noise, noise)
    time.sleep(0.001)
print(recording.id, recording.problem)
recordings.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), repr(ABOUT)], capture_output=True, text=True, timeout=PATIENCE
    )
    name, problem = done.stdout.strip().split(" ", 1)
    assert problem == "it could not be written" and done.stderr.count("\n") == 1
    assert soundfile.info(tmp_path / f"{name}.ogg").duration > 1


def test_a_disk_that_is_too_slow_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr("personaplex.serve.recordings._PENDING", 3)
    monkeypatch.setattr(soundfile.SoundFile, "write", lambda *_: time.sleep(0.2))
    recordings = Recordings(tmp_path)
    recording = recordings.begin(**ABOUT)
    frame = np.zeros(1920, np.float32)
    while not recording.written:
        recording.frame(frame, frame)
        time.sleep(0.3)
    for _ in range(10):
        recording.frame(frame, frame)
    assert recording.problem == "the disk is too slow"
    recordings.close()
    assert Archive(tmp_path).of("")[0]["ended"] == "the disk is too slow"


def test_a_server_that_is_killed_leaves_what_can_be_played(model, tmp_path):
    options = [
        "serve",
        "--model",
        str(model.path),
        "--port",
        "0",
        "--record",
        str(tmp_path),
        "--data",
        str(tmp_path / "d"),
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", "from personaplex.cli import main; main()", *options],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        process.stdout.readline()
        url = next(word for word in process.stdout.readline().split() if word.startswith("http://127.0.0.1:"))
        with suppress(Exception), Talker(url, format="pcm", record=1) as talker:
            talker.begin()
            for _ in range(5):
                talker.say(speech(12))
                talker.hear(12)
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
    finally:
        process.kill()
    (path,) = tmp_path.glob("*.ogg")
    with av.open(str(path)) as container:
        assert sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0)) > 2
    (one,) = Archive(tmp_path).of("")  # the next start
    assert one["ended"] == CUT and 2 < one["seconds"] <= 4.8
    assert Archive(tmp_path).read_words(one["id"])[0]


def test_old_ones_are_deleted_and_running_ones_are_not(tmp_path):
    recordings = Recordings(tmp_path)
    frame = np.zeros(1920, np.float32)
    for ends in (True, False):
        recording = recordings.begin(**ABOUT)
        recording.frame(frame, frame)
        if ends:
            recording.end("done")
    end = time.monotonic() + PATIENCE
    while not recordings.archive.of("") or not recording.written:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert recordings.archive.sweep(2) == 0
    assert recordings.archive.sweep(2, now=time.time() + 3 * 86_400) == 1
    assert [path.name for path in tmp_path.glob("*.ogg")] == [f"{recording.id}.ogg"]
    recordings.close()
    time.sleep(0.1)
    Recordings(tmp_path, retention_days=1e-9).close()  # what is too old at the start goes
    assert list(tmp_path.glob("rec_*")) == []


def test_what_cannot_be_a_directory_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="name another directory"):
        Recordings(tmp_path / "file")
    (tmp_path / "index.sqlite").write_text("this is no database at all" * 100)
    with pytest.raises(UserError, match="name another directory"):
        Recordings(tmp_path)


def test_dropped_input_is_written_down(model, tmp_path):
    with serving(model, sessions=1, backlog=10, record=tmp_path) as served:
        with served.talk(record=1) as talker:
            talker.begin()
            talker.say(speech(60))
            while b'"dropped"' not in talker.receive()[1]:
                pass
            talker.hear(3)
        (one,) = listed(served, 1)
        events = ask(served, "GET", f"/{one['id']}").json()["events"]
    dropped = next(event for event in events if event["event"] == "dropped")
    assert dropped["frames"] == dropped["total"] > 0
