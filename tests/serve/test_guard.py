"""Who is let through: keys, Origin, Host; and what every answer says about itself."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from personaplex.serve.guard import Guard
from personaplex.serve.keys import Keys
from tests.serve.talker import PATIENCE, Talker, serving

KEY = "0123456789abcdef-one"


@pytest.fixture(scope="module")
def locked(model):
    with serving(model, guard=Guard(Keys([f"{KEY} name=ada sessions=1"]), origins=["https://example.org"])) as served:
        yield served


def status(url, **headers):
    with pytest.raises(InvalidStatus) as refused:
        connect(url.replace("http", "ws", 1), open_timeout=PATIENCE, additional_headers=headers)
    return refused.value.response.status_code


def test_what_needs_a_key_and_what_does_not(locked):
    for path in ("/", "/health", "/ready"):
        assert httpx.get(locked.url + path).status_code == 200, path
    for path in ("/v1/models", "/v1/voices", "/api/model", "/api/voices", "/metrics"):
        refused = httpx.get(locked.url + path)
        assert refused.status_code == 401 and refused.json()["error"]["code"] == "invalid_api_key", path
        assert httpx.get(locked.url + path, headers={"authorization": f"Bearer {KEY}"}).status_code == 200
        assert httpx.get(locked.url + path, params={"key": KEY}).status_code == 200
    assert httpx.get(f"{locked.url}/metrics?key={KEY}x").status_code == 401


def test_a_conversation_needs_a_key(locked):
    assert status(f"{locked.url}/api/chat") == status(f"{locked.url}/v1/realtime") == 401
    with Talker(locked.url, origin=locked.url) as page:  # a browser is told in words
        message, code = page.error()
    assert "needs a key" in message and code == 1008
    with locked.talk(key=KEY) as talker:
        talker.begin()
        assert status(f"{locked.url}/api/chat?key={KEY}") == 429  # one at a time


def test_a_browsers_key_may_be_a_subprotocol(locked):
    address = f"{locked.url.replace('http', 'ws', 1)}/v1/realtime"
    with connect(address, subprotocols=["realtime", f"openai-insecure-api-key.{KEY}"]) as socket:
        assert socket.subprotocol == "realtime"


def test_pages_from_elsewhere_are_refused_unless_they_are_allowed(server, locked):
    assert status(f"{server.url}/api/chat", origin="https://evil.example") == 403
    assert status(f"{server.url}/api/chat", origin="null") == status(f"{server.url}/twilio", origin="http://[") == 403
    assert httpx.post(f"{server.url}/v1/models", headers={"origin": "https://evil.example"}).status_code == 403
    assert httpx.post(f"{server.url}/v1/models", headers={"origin": server.url}).status_code == 405
    assert httpx.get(f"{server.url}/v1/models", headers={"origin": "https://evil.example"}).status_code == 403
    assert status(f"{locked.url}/api/chat", origin="https://example.org:1") == 403
    with Talker(locked.url, origin="https://example.org", key=KEY, format="pcm") as page:
        page.begin()


def test_a_page_cannot_reach_us_under_a_name_of_its_own(server, locked):
    """DNS rebinding: the attacker's name points at this machine, so its pages have the same origin as we."""
    evil = {"host": "evil.example:80", "origin": "http://evil.example:80"}
    assert httpx.get(f"{server.url}/v1/models", headers=evil).status_code == 403
    for host in ("localhost:9", "127.0.0.1", "[::1]:9"):
        assert httpx.get(f"{server.url}/v1/models", headers={"host": host}).status_code == 200
    named = {"host": "talk.example.org", "authorization": f"Bearer {KEY}"}
    assert httpx.get(f"{locked.url}/v1/models", headers=named).status_code == 200  # there it is the key that counts


def test_bodies_are_bounded(server):
    assert httpx.post(f"{server.url}/v1/models", content=bytes(70_000)).status_code == 413
    assert (
        httpx.post(f"{server.url}/v1/models", content=iter([b"a"])).status_code == 413
    )  # chunks of no declared length


def test_every_answer_carries_the_security_headers(server):
    for path in ("/", "/health", "/v1/models", "/nowhere"):
        headers = httpx.get(server.url + path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
