"""The page of a corpus: nothing of the data is more than text, and it plays what it shows."""

import json

import numpy as np
import pytest

from personaplex.frames import SAMPLE_RATE
from personaplex.synth.files import AGENT, USER, write_audio, write_text
from personaplex.synth.summary import summarise
from tests.serve.page_browser import launch

EVIL = "<script>document.title = 'evil'</script>\"'&"
SECONDS = 3.0


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "audio").mkdir()
    tone = np.sin(np.arange(int(SECONDS * SAMPLE_RATE)) / 20) * 0.1
    names = []
    for number in range(25):
        names.append(f"audio/{number:06d}.flac")
        turn = {"kind": EVIL, "intent": "", "fact": ""}
        record = {
            "role": EVIL if number else "",
            "scenario": EVIL,
            "duration": SECONDS,
            "alignments": [["hello", [0.5, 1.0], USER], [EVIL, [1.5, 2.5], AGENT]],
            "turns": [
                {"who": "user", "start": 0.5, "end": 1.0, "text": "Hello.", **turn},
                {"who": "agent", "start": 1.5, "end": 2.5, "text": EVIL, **turn},
            ],
            "channel": {
                "level_db": -20.0, "snr_db": 31.2, "noise": "pink", "echo_db": None, "room": True, "others": False,
                "line": "clean",
            },
        }  # fmt: skip
        write_audio(tmp_path / names[-1], np.stack([tone, tone], axis=1))
        write_text(tmp_path / f"audio/{number:06d}.json", json.dumps(record))
    return tmp_path, summarise(tmp_path, names, {"seed": 1})


def test_figures_and_text(corpus):
    folder, stats = corpus
    assert stats["gaps"] == {"agent": {"0.5": 25}, "user": {}} and stats["snr_db"] == {"30": 25}
    assert stats["noises"] == {"pink": 25} and stats["hours"] == round(25 * SECONDS / 3600, 3)
    text = (folder / "index.html").read_text()
    assert EVIL not in text and text.count("<script>") == 1 and text.count("<audio") == 20
    assert "http" not in text.replace("http-equiv", "")  # asks nobody


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_plays_from_where_one_clicks(corpus, scheme):
    from playwright.sync_api import sync_playwright

    folder, _ = corpus
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"file://{folder}/index.html")
        page.locator(".check summary").first.click()
        page.locator(".check li.agent button").first.click()
        page.wait_for_function("document.querySelector('.word.now')?.textContent.includes('evil')")
        assert page.evaluate("document.querySelector('audio').currentTime") >= 1.5
        assert page.title() == f"Corpus: {folder.name}" and not complaints
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
