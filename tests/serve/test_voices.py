"""Voices of one's own: what is taken, what is refused, whose they are, and that a conversation can have them."""

import io
import struct
import time

import av
import httpx
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from personaplex.errors import UserError
from personaplex.serve.guard import Guard
from personaplex.serve.keys import Keys
from personaplex.serve.names import clean_name
from personaplex.serve.samples import SAMPLE_BYTES, decode_sample
from personaplex.serve.voices import CONSENT
from tests.serve.talker import serving, speech

ADA, BOB = "0123456789abcdef-ada", "0123456789abcdef-bob"


def encoded(pcm, rate=24_000, form="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format=form, subtype=subtype)
    return file.getvalue()


def webm(pcm):
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        stream.codec_context.format = "flt"
        for start in range(0, len(pcm) // 960 * 960, 960):
            frame = av.AudioFrame.from_ndarray(pcm[None, start : start + 960].astype(np.float32), "flt", "mono")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


VOICE = speech(40).astype(np.float32) / 32768  # 3.2 s
FILES = {
    "wav": encoded(VOICE),
    "stereo 44.1 kHz": encoded(np.stack([VOICE, VOICE], axis=1), 44_100),
    "flac": encoded(VOICE, form="FLAC"),
    "vorbis": encoded(VOICE, form="OGG", subtype="VORBIS"),
    "opus": encoded(VOICE, form="OGG", subtype="OPUS"),
    "webm": webm(np.repeat(VOICE, 2)),
}


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    """A server that stores voices for two keys."""
    keys = Keys([f"{ADA} name=ada", f"{BOB} name=bob"])
    data = tmp_path_factory.mktemp("data")
    with serving(model, sessions=2, backlog=500, guard=Guard(keys), data=data) as served:
        served.data = data
        yield served


def ask(server, method, path, key=ADA, **more):
    return httpx.request(method, server.url + path, headers={"authorization": f"Bearer {key}"}, timeout=60, **more)


def upload(server, name="Ann", content=FILES["wav"], consent=f"{CONSENT}: it is mine.", key=ADA):
    form = {"name": name, "consent": consent}
    return ask(server, "POST", "/v1/voices", key, data=form, files={"file": ("../../x.wav", content)})


@pytest.mark.parametrize("form", FILES)
def test_formats(form):
    pcm = decode_sample(FILES[form])
    rate = 24_000 if form != "stereo 44.1 kHz" else 44_100
    assert pcm.dtype == np.float32 and abs(len(pcm) / 24_000 - len(VOICE) / rate) < 0.3
    assert 0.7 < np.std(pcm) / np.std(VOICE) < 1.3


def test_silence_around_the_speech_goes():
    silent = np.zeros(24_000 * 3, np.float32)
    assert len(decode_sample(encoded(np.concatenate([silent, VOICE, silent])))) < len(VOICE) + 24_000 / 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not WAV"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "not WAV"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not WAV"),
        (b"RIFF" + bytes(100), "damaged or not"),
        (b"OggS" + bytes(1000), "damaged or not"),
        (b"\x1aE\xdf\xa3" + bytes(1000), "damaged or not"),
        (FILES["flac"][:200], "damaged|holds 0.00 s"),
        (encoded(VOICE[:12_000]), "at least 1 s"),
        (encoded(np.zeros(24_000 * 3)), "holds 0.00 s of speech"),
        (encoded(np.zeros(24_000 * 600, np.int16), form="FLAC"), "longer than 60 s"),  # few bytes
        (encoded(np.full((48_000, 9), 0.1)), "9 channels"),
        (encoded(VOICE, 384_000), "384000 samples a second"),
        (encoded(VOICE, form="WAV", subtype="GSM610"), "coded as gsm"),
        (encoded(np.tile(VOICE, 2) * np.float32(np.nan), subtype="FLOAT"), "not numbers"),
        (bytes(SAMPLE_BYTES + 1), "larger than 10 MB"),
    ],
)
def test_what_is_no_sample_is_a_sentence(content, sentence):
    begin = time.monotonic()
    with pytest.raises(UserError, match=sentence):
        decode_sample(content)
    assert time.monotonic() - begin < 10


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_damaged_files_are_refused_or_read_and_never_crash(form, data):
    content = bytearray(FILES[form])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(2000, len(content)) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert len(decode_sample(bytes(content[: data.draw(st.integers(0, len(content)))]))) <= 61 * 24_000
    except UserError:
        pass


def test_a_voice_is_uploaded_heard_used_and_deleted(server):
    before = ask(server, "GET", "/v1/voices").json()["data"]
    answer = upload(server, " Änn ")
    voice = answer.json()
    assert answer.status_code == 201 and voice["id"].startswith("voice_")
    assert voice | {"id": 0, "created": 0} == {
        "id": 0, "kind": "uploaded", "name": "Änn", "seconds": pytest.approx(3.2, abs=0.3), "created": 0,
    }  # fmt: skip
    assert ask(server, "GET", "/v1/voices").json()["data"] == [*before, voice]

    record = httpx.Response(200, content=(server.data / "voices" / f"{voice['id']}.json").read_bytes()).json()
    assert record["owner"] == "ada" and record["consent"] == f"{CONSENT}: it is mine."
    assert abs(record["created"] - time.time()) < 60
    assert sorted(path.name for path in (server.data / "voices").iterdir()) == [
        f"{voice['id']}.flac", f"{voice['id']}.json",
    ]  # fmt: skip

    preview = ask(server, "GET", f"/v1/voices/{voice['id']}/preview")
    sound, rate = soundfile.read(io.BytesIO(preview.content))
    assert preview.headers["content-type"] == "audio/wav" and rate == 24_000 and 2 < len(sound) / rate <= 4

    heard = {}
    for name in (voice["id"], "NATF2"):
        with server.talk(key=ADA, voice_prompt=name, seed=1) as talker:
            assert talker.begin()["voice"] == name
            talker.say(speech(5))
            heard[name] = talker.hear(5)[0]
    assert not np.array_equal(*heard.values())

    assert ask(server, "DELETE", f"/v1/voices/{voice['id']}").status_code == 204
    assert ask(server, "GET", "/v1/voices").json()["data"] == before
    assert list((server.data / "voices").iterdir()) == []
    with server.talk(key=ADA, voice_prompt=voice["id"]) as talker:
        assert "There is no voice" in talker.error()[0]


def test_another_key_does_not_know_of_it(server):
    voice = upload(server).json()["id"]
    path = f"/v1/voices/{voice}"
    assert voice not in str(ask(server, "GET", "/v1/voices", BOB).json())
    assert ask(server, "GET", f"{path}/preview", BOB).status_code == 404
    assert ask(server, "DELETE", path, BOB).status_code == 404
    assert ask(server, "DELETE", path, "nobody").status_code == 401
    with server.talk(key=BOB, voice_prompt=voice) as talker:
        assert "There is no voice" in talker.error()[0]
    assert upload(server, key=BOB).status_code == 201  # the same name
    assert ask(server, "DELETE", path).status_code == 204


def test_what_is_stored_survives_a_restart(model, tmp_path):
    with serving(model, data=tmp_path) as served:
        voice = upload(served).json()
    (tmp_path / "voices" / "broken.json").write_text("{")
    with serving(model, data=tmp_path) as served:
        assert ask(served, "GET", "/v1/voices").json()["data"][-1] == voice
        with served.talk(voice_prompt=voice["id"]) as talker:
            talker.begin()


def test_previews_of_the_models_voices(server):
    first, again = (ask(server, "GET", "/v1/voices/NATF0/preview").content for _ in range(2))
    other = ask(server, "GET", "/v1/voices/NATM0/preview").content
    assert soundfile.info(io.BytesIO(first)).frames == 6 * 1920 and first == again != other
    answer = ask(server, "GET", "/v1/voices/NATF99/preview")
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"
    assert ask(server, "DELETE", "/v1/voices/NATF0").status_code == 403


def test_uploads_that_are_refused(server):
    def refused(status, sentence, **form):
        answer = upload(server, **{"name": "Nora", **form})
        assert answer.status_code == status and sentence in answer.json()["error"]["message"]

    refused(400, "consent must be a statement", consent="")
    refused(400, "consent must be a statement", consent="yes")
    refused(400, "name of a voice", name="../../etc/passwd")
    refused(400, "at least 1 s", content=encoded(VOICE[:12_000]))
    refused(400, "not WAV, FLAC, OGG or WebM", content=b"garbage")
    refused(413, "at most 10 MB", content=bytes(SAMPLE_BYTES + 100_000))
    refused(409, "already", name="natf2")
    assert upload(server, "Twice").status_code == 201
    refused(409, "already", name="tWice")
    form = {"name": "Ann", "consent": CONSENT}
    assert ask(server, "POST", "/v1/voices", data=form).status_code == 400
    assert ask(server, "POST", "/v1/voices", json=form).status_code == 400
    chunked = ask(server, "POST", "/v1/voices", content=iter([b"x"]))
    assert chunked.status_code == 413
    broken = {"content-type": "multipart/form-data; boundary=x", "authorization": f"Bearer {ADA}"}
    answer = httpx.post(f"{server.url}/v1/voices", content=b"--x\r\n\0garbage", headers=broken)
    assert answer.status_code == 400 and answer.json()["error"]["message"].endswith(".")


def test_a_wav_whose_header_lies_about_its_length():
    content = bytearray(FILES["wav"])
    content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    assert len(decode_sample(bytes(content))) > 24_000


def test_a_server_that_stores_nothing(model):
    with serving(model) as served:
        assert len(ask(served, "GET", "/v1/voices").json()["data"]) == 18
        assert upload(served).status_code == 404


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=50))
def test_a_clean_name_can_be_shown_and_stays_itself(text):
    try:
        name = clean_name(text, "voice", 40)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert clean_name(name, "voice", 40) == name == name.strip() and 1 <= len(name) <= 40
        assert name.isprintable() or " " in name.replace("\u3000", " ") or "\xa0" in name or not name.isascii()
        assert not set(name) & set("/\\\0\n\r") and name.strip(".")
        name.encode()


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "\u202eabc", "\ud800", "a" * 41, None, 7]
)
def test_names_that_are_refused(name):
    with pytest.raises(UserError, match="name of a voice"):
        clean_name(name, "voice", 40)
