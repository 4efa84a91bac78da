"""Models from the hub: a small server stands in for it, so that the real client's errors are what is tested."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars

from personaplex.checkpoints import load_model
from personaplex.checkpoints.names import NAMED, cached, locate
from personaplex.errors import UserError
from tests.checkpoints.conftest import Parts

REPO = "someone/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's interface that a download needs."""

    folder: Path
    refuse: tuple[int, str] | None = None  # status and error code of every answer about files
    gated = False

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if self.refuse:
            status, code = self.refuse
            return self.reply(status, b"{}", X_Error_Code=code, X_Error_Message=code)
        if path.startswith(f"/api/models/{REPO}/tree/"):
            return self.json([self.entry(file) for file in self.files()])
        if path.startswith(f"/api/models/{REPO}"):
            siblings = [{"rfilename": str(file.relative_to(self.folder))} for file in self.files()]
            return self.json({"id": REPO, "sha": COMMIT, "siblings": siblings})
        file = self.folder / path.removeprefix(f"/{REPO}/resolve/{COMMIT}/")
        if not path.startswith(f"/{REPO}/resolve/{COMMIT}/") or not file.is_file():
            return self.reply(404, b"{}", X_Error_Code="RepoNotFound" if REPO not in path else "EntryNotFound")
        if self.gated and self.headers.get("Authorization") != "Bearer good":
            return self.reply(403, b"{}", X_Error_Code="GatedRepo", X_Error_Message="restricted")
        data = file.read_bytes()
        return self.reply(200, data, ETag=f'"{hashlib.sha1(data).hexdigest()}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET

    def json(self, value):
        self.reply(200, json.dumps(value).encode(), Content_Type="application/json", X_Repo_Commit=COMMIT)

    def files(self):
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def entry(self, file):
        oid = hashlib.sha1(file.read_bytes()).hexdigest()
        return {"type": "file", "path": str(file.relative_to(self.folder)), "size": file.stat().st_size, "oid": oid}


@pytest.fixture
def hub(parts: Parts, tmp_path, monkeypatch):
    """A hub with one repository."""
    parts.save(tmp_path / "repo", shard_bytes=70_000)
    (tmp_path / "repo" / "dist.tgz").write_bytes(b"a web page that nobody needs")

    class Handler(Hub):
        folder = tmp_path / "repo"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    disable_progress_bars()
    yield Handler
    server.shutdown()
    server.server_close()


def test_a_hub_model_is_fetched_and_loaded_and_needs_no_network_again(hub, parts: Parts):
    model = load_model(REPO)
    assert model.name == REPO and model.voices.names() == ["NATF0"]
    assert model.lm.config == parts.lm.config
    assert not (model.path / "dist.tgz").exists()
    assert cached(REPO) == model.path and cached("someone/else") is None
    hub.refuse = (503, "")
    assert load_model(REPO).sha256 == model.sha256


def refusal(name=REPO) -> str:
    with pytest.raises(UserError) as caught:
        load_model(name)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    return message


def test_a_missing_token_is_asked_for(hub):
    hub.gated = True
    message = refusal()
    assert "HF_TOKEN" in message and f"https://huggingface.co/{REPO}" in message


def test_an_unaccepted_licence_is_named(hub, monkeypatch):
    hub.gated = True
    monkeypatch.setenv("HF_TOKEN", "bad")
    message = refusal()
    assert "accept its licence" in message and f"https://huggingface.co/{REPO}" in message


def test_an_accepted_licence_opens_the_model(hub, monkeypatch):
    hub.gated = True
    monkeypatch.setenv("HF_TOKEN", "good")
    assert load_model(REPO).name == REPO


def test_an_unknown_repository_is_named(hub):
    hub.refuse = (404, "RepoNotFound")
    assert "There is no model someone/tiny on the Hugging Face hub" in refusal()


def test_a_hub_in_trouble_is_said_to_be(hub):
    hub.refuse = (503, "")
    assert "hub" in refusal()


def test_without_network_an_uncached_model_is_refused(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    assert "cannot be reached" in refusal()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "cannot be reached" in refusal()


def test_a_repository_without_a_model_is_refused(hub):
    for file in hub.folder.glob("*"):
        if file.is_file() and file.suffix != ".tgz":
            file.unlink()
    assert "not a model directory" in refusal()


def test_names_paths_and_ids(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moshiko").mkdir()
    (tmp_path / "owner" / "model").mkdir(parents=True)
    assert locate("moshiko") == (Path(), "kyutai/moshiko-pytorch-bf16")
    assert locate("./moshiko") == (Path("./moshiko"), None)
    assert locate(Path("moshiko")) == (Path("moshiko"), None)
    assert locate("owner/model") == (Path("owner/model"), None)
    assert locate("nvidia/personaplex-7b-v1") == (Path(), "nvidia/personaplex-7b-v1")
    assert {NAMED[name].repo for name in ("personaplex-7b-v1", "moshika")} == {
        "nvidia/personaplex-7b-v1", "kyutai/moshika-pytorch-bf16"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["moshik", "", "/no/such/place", "a b", "../x/y/z"])
def test_a_name_that_is_nothing_lists_what_there_is(name):
    with pytest.raises(UserError, match="personaplex-7b-v1, moshiko, moshika"):
        load_model(name or "none")


def test_a_near_miss_is_guessed():
    with pytest.raises(UserError, match="Did you mean 'moshiko'"):
        load_model("moshik0")


def test_a_file_is_not_a_model(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="is a file"):
        load_model(tmp_path / "x.safetensors")
