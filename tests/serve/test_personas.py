"""Personas by name: saved, listed, used, deleted, each by the key that made it."""

import json
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personaplex.errors import UserError
from personaplex.serve.guard import Guard
from personaplex.serve.keys import Keys
from personaplex.serve.names import clean_name, data_home
from personaplex.serve.personas import PERSONAS_EACH
from personaplex.serve.service import read_wish
from tests.serve.talker import serving, speech

ADA, BOB = "0123456789abcdef-ada", "0123456789abcdef-bob"
TEACHER = {"role": "You are wise.", "voice": "NATM1", "sampling": {"audio_temperature": 0.5, "text_topk": 7}}


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    keys = Keys([f"{ADA} name=ada", f"{BOB} name=bob"])
    with serving(model, sessions=2, guard=Guard(keys), data=tmp_path_factory.mktemp("data")) as served:
        with httpx.Client(base_url=served.url, timeout=60) as served.http:
            yield served


def ask(server, method, name="", key=ADA, **more):
    path = "/v1/personas" + (f"/{quote(name, safe='')}" if name else "")
    return server.http.request(method, path, headers={"authorization": f"Bearer {key}"}, **more)


def listed(server, key=ADA):
    return ask(server, "GET", key=key).json()["data"]


def test_a_persona_is_saved_changed_used_and_deleted(server):
    answer = ask(server, "PUT", "Téacher 1", json=TEACHER)
    assert answer.status_code == 200 and answer.json() == {"name": "Téacher 1", **TEACHER}
    assert listed(server) == [answer.json()]
    assert (
        ask(server, "PUT", "Te\u0301acher 1", json={**TEACHER, "role": "You are friendly."}).status_code == 200
    )  # NFD
    assert [persona["role"] for persona in listed(server)] == ["You are friendly."]

    wish = read_wish({"persona": "Téacher 1"}, server.service, "ada")
    assert (wish.role, wish.voice, wish.sampling.temp_audio, wish.sampling.topk_text) == (
        "You are friendly.",
        "NATM1",
        0.5,
        7,
    )
    own = read_wish(
        {"persona": "Téacher 1", "text_prompt": "", "voice_prompt": "NATF0", "text_topk": "9"}, server.service, "ada"
    )
    assert (own.role, own.voice, own.sampling.temp_audio, own.sampling.topk_text) == ("", "NATF0", 0.5, 9)
    with server.talk(key=ADA, persona="Téacher 1") as talker:
        assert talker.begin()["voice"] == "NATM1"
        talker.say(speech(3))
        talker.hear(3)

    assert ask(server, "DELETE", "Téacher 1").status_code == 204
    assert ask(server, "DELETE", "Téacher 1").status_code == 404 and listed(server) == []


def test_another_key_does_not_know_of_it(server):
    assert ask(server, "PUT", "mine", json=TEACHER).status_code == 200
    assert listed(server, BOB) == []
    assert ask(server, "DELETE", "mine", BOB).status_code == 404
    with server.talk(key=BOB, persona="mine") as talker:
        assert "There is no persona 'mine'" in talker.error()[0]
    assert ask(server, "PUT", "mine", BOB, json={"role": "You are Bob's."}).status_code == 200
    assert [persona["role"] for persona in listed(server)] == [TEACHER["role"]]
    assert ask(server, "DELETE", "mine").status_code == 204


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "JSON object"),
        ({"role": 7}, "must be text"),
        ({"voice": ["NATF0"]}, "must be text"),
        ({"voice": "NATF99"}, "no voice"),
        ({"voice": "../NATF0"}, "no voice"),
        ({"sampling": {"temperature": 1}}, "object of numbers"),
        ({"sampling": {"audio_topk": "7"}}, "object of numbers"),
        ({"sampling": {"audio_topk": True}}, "object of numbers"),
        ({"sampling": {"audio_temperature": 0}}, "audio_temperature must be"),
        ({"sampling": {"audio_topk": -1}}, "audio_topk must be"),
        ({"sampling": {"audio_temperature": float("nan")}}, "audio_temperature must be"),
        ({"sampling": {"text_topk": 10**100}}, "text_topk must be"),
        ({"role": "a" * 8001}, "at most 8000"),
    ],
)
def test_what_is_no_persona_is_a_sentence(server, body, sentence):
    answer = ask(server, "PUT", "bad", content=json.dumps(body))
    assert answer.status_code == 400 and sentence in answer.json()["error"]["message"]
    assert "bad" not in [persona["name"] for persona in listed(server)]


def test_other_bodies_that_are_refused(server):
    for body in (b"", b"{", b"\xff", b"[" * 50_000, b'{"sampling": {"audio_topk": 1' + b"0" * 5000 + b"}}"):
        assert ask(server, "PUT", "bad", content=body).status_code == 400
    assert ask(server, "PUT", "bad", content=bytes(70_000)).status_code == 413
    assert ask(server, "PUT", "half a pair", content=rb'{"role": "\ud800", "voice": null}').json()["role"] == "?"
    assert ask(server, "DELETE", "half a pair").status_code == 204


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=70), st.sampled_from(["..", "../x", "a/b", "%2e%2e", "a?b#c", "con", "-", "'; --"])))
def test_any_name_is_kept_as_it_is_or_refused(server, name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return  # cannot be an address
    try:
        kept = clean_name(name, "persona", 60)
    except UserError:
        kept = None
    answer = ask(server, "PUT", name or " ", json=TEACHER)
    if kept is None:
        assert answer.status_code in (400, 404, 405)
    else:
        assert answer.status_code == 200 and answer.json()["name"] == kept
        assert [persona["name"] for persona in listed(server)] == [kept]
        assert ask(server, "DELETE", name).status_code == 204
    assert listed(server) == []


def test_there_is_an_end_to_them(server, monkeypatch):
    monkeypatch.setattr("personaplex.serve.personas.PERSONAS_EACH", 2)
    assert PERSONAS_EACH > 2
    for name, status in (("a", 200), ("b", 200), ("c", 409), ("a", 200)):
        assert ask(server, "PUT", name, json=TEACHER).status_code == status
    for name in "ab":
        assert ask(server, "DELETE", name).status_code == 204


def test_they_survive_a_restart_and_a_disk_that_cannot_be_written_is_told(model, tmp_path):
    with serving(model, data=tmp_path) as served, httpx.Client(base_url=served.url) as served.http:
        assert ask(served, "PUT", "kept", json=TEACHER).status_code == 200
    with serving(model, data=tmp_path) as served, httpx.Client(base_url=served.url) as served.http:
        assert [persona["name"] for persona in listed(served)] == ["kept"]
    (tmp_path / "file").write_text("")
    with serving(model, data=tmp_path / "file") as served, httpx.Client(base_url=served.url) as served.http:
        answer = ask(served, "PUT", "lost", json=TEACHER)
        assert answer.status_code == 507 and "could not store it" in answer.json()["error"]["message"]


def test_a_server_that_stores_nothing(model):
    with serving(model) as served, httpx.Client(base_url=served.url) as served.http:
        assert ask(served, "GET").status_code == ask(served, "PUT", "a", json=TEACHER).status_code == 404


def test_where_data_belong(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_home() == tmp_path / "personaplex"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_home() == tmp_path / ".local" / "share" / "personaplex"
