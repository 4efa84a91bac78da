"""The built page is what its sources make: nothing forgotten, nothing edited by hand."""

import json
from hashlib import sha256
from pathlib import Path

from personaplex.serve.app import STATIC

WEB = Path(__file__).parents[2] / "web"


def hashes(folder, *skip):
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: sha256(path.read_bytes()).hexdigest() for name, path in names.items() if name.split("/")[0] not in skip
    }


def test_the_build_is_fresh():
    build = json.loads((STATIC / "build.json").read_text())
    assert hashes(WEB, "node_modules") == build["sources"], "web/ was changed after the build: run `make web`"
    assert hashes(STATIC, "build.json") == build["built"], (
        "the built page was changed by hand: change web/ and run `make web`"
    )


def test_the_page_asks_nobody_else_and_runs_nothing_inline():
    index = (STATIC / "index.html").read_text()
    assert "<script>" not in index and "style=" not in index and "http" not in index.replace("http-equiv", "")
    styles = (STATIC / "index.css").read_text()
    assert "url(http" not in styles and "url(data:" not in styles  # the content-security policy forbids both
    licences = (STATIC / "licences.txt").read_text()
    assert all(name in licences for name in ("react ", "react-dom ", "scheduler ", "instrument-sans "))
