"""The report of made-up results: its tables, its pictures and sounds, and the page in a real browser."""

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from personaplex.audio import write_wav
from personaplex.bench.published import PUBLISHED
from personaplex.bench.records import Event, Result, Sample
from personaplex.bench.report import write_report
from personaplex.bench.report.picture import Voice, draw, envelope
from personaplex.bench.report.tables import Column, sheets
from personaplex.bench.statistics import figure
from personaplex.frames import SAMPLE_RATE
from tests.conftest import BROWSERS

SECONDS = 4.0
NASTY = "<script>fail()</script>\"'&$1.2345 $2 -->"  # in words, notes, names and problems alike
TASKS = ("synthetic_pause_handling", "candor_turn_taking")


def tone(start, end):
    """Something like speech between two moments of a recording."""
    time = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    sound = 0.3 * np.sin(2 * np.pi * 170 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    return (sound * ((time >= start) & (time < end))).astype(np.float32)


def result(system, count):
    samples = []
    for task in TASKS:
        for at in range(1, count + 1):
            speaks = system != "silent"
            took = float(speaks and at % 2)
            samples.append(
                Sample(
                    f"duplex/{task}/{at}",
                    metrics={"tor": took, "latency_s": 0.1 * at if took and "turn" in task else None},
                    badness=took if "pause" in task else 1 - took,
                    words=[(NASTY, 2.2, 2.6), ("sixty", 2.7, 3.1)] if speaks else [],
                    user_words=[("hello", 0.3, 0.8), ("there", 0.9, 1.4)],
                    events=[Event("turn end", 1.5), Event(NASTY, 2.0, 3.0, NASTY)],
                    speech=[(2.0, 3.5)] if speaks else [],
                    notes={NASTY: NASTY},
                )
            )
    samples[-1] = Sample(samples[-1].id, problem=f"output.wav is missing {NASTY}", badness=1.0)
    figures = {
        task: {"tor": figure([s.metrics.get("tor") for s in samples if task in s.id], better=better)}
        for task, better in zip(TASKS, ("lower", "higher"), strict=True)
    }
    figures[TASKS[1]]["latency_s"] = figure([s.metrics.get("latency_s") for s in samples], "s", "lower")
    figures[TASKS[0]]["of_our_own"] = figure([0.5, 0.75])
    return Result("duplex", {}, figures, samples, {"asr": "pocketsphinx", "judge": f"rules {NASTY}"})


def made(folder, systems=("nano", "silent"), count=7):
    """A run's folder with sounds, and its report."""
    inputs, results = {}, {system: {"duplex": result(system, count)} for system in systems}
    for system, by_name in results.items():
        for sample in by_name["duplex"].samples:
            inputs[sample.id] = folder / "inputs" / f"{sample.id}.wav"
            write_wav(inputs[sample.id], tone(0.3, 1.5))
            if not sample.problem:
                write_wav(folder / system / sample.id / "output.wav", tone(2.0, 3.5) * (system != "silent"))
    meta = {
        "inputs": inputs,
        "seed": 7,
        "data": "made up for a test",
        "systems": {"nano": {"model": NASTY, "sha256": "5eed" * 16}},
        "command": "personaplex bench",
    }
    return write_report(folder, results, meta)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return made(tmp_path_factory.mktemp("a folder with ümlauts & spaces #1"))


def test_tables_put_ours_beside_the_published_and_further_figures_apart():
    beside, further = sheets({"nano": {"duplex": result("nano", 7)}, "silent": {"duplex": result("silent", 7)}})
    assert [(column.task, column.metric) for column in beside.columns] == [
        (TASKS[0], "tor"), (TASKS[1], "tor"), (TASKS[1], "latency_s"),
    ]  # fmt: skip
    assert [(column.name, column.unit, column.better) for column in beside.columns] == [
        ("TOR", "", "lower"), ("TOR", "", "higher"), ("latency", "s", "lower"),
    ]  # fmt: skip
    assert [row.system for row in beside.ours] == ["nano", "silent"]
    theirs = {row.system: [cell and cell.value for cell in row.cells] for row in beside.theirs}
    assert theirs["Moshi"] == [0.985, 0.941, 0.265]
    assert theirs["Raon-SpeechChat-9B"] == [0.212, 0.832, None]
    assert beside.ours[1].cells[2].value is None  # a silent system has no latency, not one of 0
    assert [(column.metric, further.theirs) for column in further.columns] == [("of_our_own", [])]


def test_published_rows_are_on_the_scales_of_their_metrics():
    for table in PUBLISHED.values():
        assert table.data and table.ears
        for row in table.rows:
            assert row.source
            for metrics in row.figures.values():
                assert all(0 <= value <= (5 if name in ("score", "mean") else 2) for name, value in metrics.items())


def test_numbers_as_written():
    share, marks = Column("", "", "", "", "higher", top=1.0), Column("", "", "", "of 5", "higher", top=5.0)
    assert (share.written(0.0251), marks.written(4.286)) == ("0.025", "4.29")
    assert (share.part(0.25), marks.part(4.0), share.part(-1.0), marks.part(9.0)) == (25, 80, 0, 100)


def test_the_page_says_how_it_was_measured_and_names_what_was_wrong(report):
    page = report.read_text("utf-8")
    for told in ("asr pocketsphinx", "Seed 7", "5eed5eed", "made up for a test", "output.wav is missing", "n = 7"):
        assert told in page
    assert "arXiv 2503.04721" in page and "parakeet" in page and "not by this run" in page
    assert str(report.parent) not in page  # it can be moved and sent


def test_figures_and_samples_as_json(report):
    data = json.loads((report.parent / "report.json").read_text("utf-8"))
    assert Result.from_json(data["systems"]["nano"]["duplex"]).to_json() == result("nano", 7).to_json()
    assert data["meta"]["seed"] == 7 and "inputs" not in data["meta"]
    assert data["published"]["duplex"]["rows"][0]["system"] == "PersonaPlex"


def test_sound_has_the_user_left_and_the_agent_right(report):
    sound, rate = soundfile.read(report.parent / "samples/nano/duplex" / TASKS[0] / "1.ogg")
    assert rate == SAMPLE_RATE and sound.shape == (SECONDS * SAMPLE_RATE, 2)
    early, late = (np.abs(sound[int(a * rate) : int(b * rate)]).mean(axis=0) for a, b in ((0.4, 1.4), (2.1, 3.4)))
    assert early[0] > 0.05 > 0.005 > early[1] and late[1] > 0.05 > 0.005 > late[0]


def test_a_picture_keeps_what_was_said_as_it_was_said(report):
    picture = (report.parent / "samples/nano/duplex" / TASKS[0] / "1.svg").read_text("utf-8")
    texts = [node.text for node in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count(NASTY) == 2 and {"hello", "there", "turn end", "user", "agent"} <= set(texts)
    assert "#0101" not in picture and "prefers-color-scheme: dark" in picture


def test_a_picture_of_nothing_and_of_nonsense():
    words = [("", 0.1, 0.2), ("\x00\ud800", 0.1, 0.2), ("late", float("nan"), 1.0), ("ok", 0.5, 0.9)]
    picture = draw(Voice(None), Voice(np.zeros(10, np.float32), [(3, 1)], words), [Event("?", float("inf"))], 1.0)
    texts = [node.text for node in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert "user: no sound" in texts and "ok" in texts and "late" not in texts


def test_an_envelope_holds_the_peaks_and_does_not_blow_up_a_whisper():
    pcm = np.zeros(1000, np.float32)
    pcm[450], pcm[990] = 0.5, -0.25
    low, high = envelope(pcm, 10)
    assert high.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0] and low.tolist() == [0] * 9 + [-0.5]
    assert envelope(pcm / 50, 10)[1].max() == pytest.approx(0.1)


def test_a_second_report_draws_only_what_changed(tmp_path):
    made(tmp_path, ("nano",), count=1)
    pictures = sorted((tmp_path / "samples").rglob("*.svg"))
    before = [path.stat().st_mtime_ns for path in pictures]
    made_again = {path: path.read_text("utf-8") for path in pictures}
    sounds = sorted((tmp_path / "nano").rglob("output.wav"))
    times = [(path, path.stat().st_mtime_ns) for path in (*sounds, *(tmp_path / "inputs").rglob("*.wav"))]
    results = {"nano": {"duplex": result("nano", 1)}}
    changed = results["nano"]["duplex"].samples
    meta = {"inputs": {sample.id: tmp_path / "inputs" / f"{sample.id}.wav" for sample in changed}}
    write_report(tmp_path, results, meta)
    assert [path.stat().st_mtime_ns for path in pictures] == before
    changed[0] = replace(changed[0], words=[("other", 1.0, 2.0)])
    write_report(tmp_path, results, meta)
    assert [path for path in pictures if path.read_text("utf-8") != made_again[path]] == [
        tmp_path / f"samples/nano/{changed[0].id}.svg"
    ]
    assert times == [(path, path.stat().st_mtime_ns) for path, _ in times]  # nobody's recordings are touched


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def look(browser, report, **options):
    """The report in a browser of its own, which writes down what it complained about and asked for."""
    page = browser.new_context(**options).new_page()
    page.faults, page.asked = [], []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda line: page.faults.append(line.text) if line.type in ("error", "warning") else None)
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(report.as_uri())
    return page


def showing(page, count):
    page.wait_for_function("count => document.querySelectorAll('article').length === count", arg=count)


@pytest.mark.browser
def test_a_person_finds_the_worst_ten_and_hears_them(browser, report):
    page = look(browser, report)
    page.click("text=Worst ten of nano")  # one click
    shown = page.locator("article h3")
    assert shown.count() == 10 and shown.first.is_visible()
    assert all("badness 1" in text for text in page.locator(".badness").all_inner_texts()[:4])
    assert len({text.split("·")[1].split()[0] for text in shown.all_inner_texts()[:2]}) == 2  # not all of one task
    player = page.locator("audio").first
    player.evaluate("audio => { audio.muted = true; return audio.play(); }")
    page.wait_for_function("() => document.querySelector('audio').currentTime > 0.3")
    assert player.evaluate("audio => Math.abs(audio.duration - 4) < 0.05")
    assert page.evaluate("parseFloat(document.querySelector('.timeline i').style.left)") > 10
    assert page.locator("img").first.evaluate("image => image.complete && image.naturalWidth") > 1000
    assert "The agent speaks 2.0 to 3.5 s." in page.locator("img").first.get_attribute("alt")
    assert NASTY in page.locator("article").first.inner_text()
    page.click("text=Ten more")
    assert shown.count() == 14
    assert page.faults == []
    assert all(url.startswith(("file:", "data:")) for url in page.asked)


@pytest.mark.browser
def test_filters_sorting_and_links(browser, report):
    page = look(browser, report)
    page.click("tbody.ours td a >> nth=2")  # nano's latency leads to its samples
    showing(page, 7)
    assert page.input_value("[name=task]") == "candor_turn_taking"
    page.select_option("[name=sort]", "-latency_s")
    chips = page.locator("article .metrics").all_inner_texts()
    assert [chip.split("latency ")[1] for chip in chips] == ["0.500 s", "0.300 s", "0.100 s", "–", "–", "–"]
    page.select_option("[name=system]", "silent")
    page.check("[name=problem]")
    showing(page, 1)
    assert page.locator("article .problem").all_inner_texts() == [f"output.wav is missing {NASTY}"]
    page.reload()  # what was chosen stands in the address
    assert page.input_value("[name=system]") == "silent"
    page.click("#problems + .card li a >> nth=0")
    showing(page, 1)
    page.focus("nav a")  # by keyboard too
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    showing(page, 10)
    assert page.faults == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out(browser, report, scheme):
    page = look(browser, report, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.click("text=Worst ten of nano")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(14, 18, 23)" if scheme == "dark" else "rgb(243, 245, 247)"
    )
    assert page.faults == []
