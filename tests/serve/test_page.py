"""The page in a real browser, with a WAV file as its microphone."""

import shutil
import time

import httpx
import numpy as np
import pytest
import soundfile

from tests.conftest import BROWSERS
from tests.serve.talker import PATIENCE, speech

pytestmark = pytest.mark.browser
MS = 1000 * PATIENCE

QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


def launch(playwright, *arguments):
    path = next(filter(None, map(shutil.which, BROWSERS)))
    return playwright.chromium.launch(executable_path=path, args=[*QUIET, *arguments])


@pytest.fixture(scope="module")
def browser(playwright, tmp_path_factory):
    """A browser whose microphone hears a voice for ever."""
    wav = tmp_path_factory.mktemp("microphone") / "voice.wav"
    soundfile.write(wav, np.tile(speech(25), 4), 24_000)
    browser = launch(
        playwright,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={wav}",
    )
    yield browser
    browser.close()


@pytest.fixture
def page(browser, server):
    """The page, with everything it asked for and complained about."""
    context = browser.new_context()
    page = context.new_page()
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda line: page.faults.append(line.text) if line.type == "error" else None)
    open_page(page, server.url)
    yield page
    context.close()
    assert page.faults == []
    assert all(url.startswith((server.url, "blob:", "data:")) for url in page.asked), page.asked
    end = time.monotonic() + PATIENCE  # a page that is closed hangs up
    while httpx.get(f"{server.url}/health").json()["sessions"]:
        assert time.monotonic() < end


def open_page(page, url):
    page.goto(url)
    page.wait_for_selector(".chip")


def reach(page, state):
    page.wait_for_function("state => document.body.dataset.state === state", arg=state, timeout=MS)


def received(page, more):
    """Wait for so many more frames from the server."""
    now = int(page.inner_text("#frames").split("/")[1]) if "/" in page.inner_text("#frames") else 0
    page.wait_for_function(
        "count => Number(document.getElementById('frames').textContent.split('/')[1]) >= count",
        arg=now + more,
        timeout=MS,
    )


def level(page, meter, above=0):
    page.wait_for_function(
        "([id, above]) => Number(document.getElementById(id).ariaValueNow) > above", arg=[meter, above], timeout=MS
    )


def test_a_person_talks_mutes_and_hangs_up(page):
    page.click("text=Casual talk")
    assert page.input_value("#role") == "You enjoy having a good conversation."
    page.click(".chip[title=VARM3]")
    page.click("summary")
    page.fill("#seed", "12")
    page.click("#talk")
    reach(page, "live")
    assert page.inner_text("#status") == "Live"
    received(page, 15)
    level(page, "agent-meter")
    level(page, "user-meter", above=20)
    page.wait_for_selector("#words p:not(.empty)", timeout=MS)
    assert page.inner_text("#seed-used") == "12"
    page.keyboard.press("Space")  # the mute button has the focus
    page.wait_for_function("() => document.getElementById('user-meter').ariaValueNow === '0'", timeout=MS)
    assert "muted" in page.inner_text("#status")
    received(page, 5)  # the conversation goes on
    page.keyboard.press("Space")
    level(page, "user-meter", above=20)
    page.click("#hang-up")
    reach(page, "ended")
    assert page.is_visible("#talk") and not page.is_visible("#mute")
    page.click("#talk")  # and again
    reach(page, "live")
    received(page, 3)
    page.click("#hang-up")
    reach(page, "ended")


def test_a_sound_card_of_another_rate_is_resampled(page, server):
    open_page(page, f"{server.url}/?rate=48000")
    page.click("#talk")
    reach(page, "live")
    received(page, 15)
    level(page, "agent-meter")
    level(page, "user-meter", above=20)


def test_what_the_server_refuses_is_shown(page, server):
    page.fill("#role", "wise " * 200)
    page.click("#talk")
    reach(page, "error")
    assert "too long" in page.inner_text("#problem")
    page.fill("#role", "\N{CJK UNIFIED IDEOGRAPH-8A9E}" * 2000)  # 9 bytes each in an address
    page.click("#talk")
    page.wait_for_function("() => document.getElementById('problem').textContent.includes('too long to be sent')")
    with server.talk() as one, server.talk() as two:
        one.begin(), two.begin()
        page.fill("#role", "You are wise.")
        page.click("#talk")
        reach(page, "error")
        assert "All 2 places are taken" in page.inner_text("#problem")
    assert page.inner_text("#talk") == "Talk again"


def test_a_denied_microphone_is_explained(playwright, server):
    browser = launch(playwright, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny")
    page = browser.new_page()
    open_page(page, server.url)
    page.click("#talk")
    reach(page, "error")
    assert "Allow it in the browser" in page.inner_text("#problem")
    browser.close()


def test_every_control_can_be_reached_by_keyboard_and_has_a_name(page):
    names = page.evaluate(
        """[...document.querySelectorAll("button, input, textarea")].map(
            (field) => field.ariaLabel || field.labels?.[0]?.textContent || field.textContent)"""
    )
    assert all(name.strip() for name in names)
    page.focus("#talk")
    page.keyboard.press("Enter")
    reach(page, "live")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    reach(page, "ended")


def test_resampling_keeps_what_both_rates_can_hold(page):
    gains = page.evaluate(
        """async () => {
            const { Resampler } = await import("/resample.js");
            const gain = (from, to, pitch) => {
                const resampler = new Resampler(from, to);
                const out = [];
                for (let n = 0; n < from; n += 128) {
                    const tone = (_, i) => Math.sin(2 * Math.PI * pitch * (n + i) / from);
                    out.push(...resampler.push(Float32Array.from({ length: 128 }, tone)));
                }
                let [a, b] = [0, 0];
                const middle = out.slice(to / 4, to / 2);
                middle.forEach((x, i) => {
                    a += x * Math.sin(2 * Math.PI * pitch * i / to);
                    b += x * Math.cos(2 * Math.PI * pitch * i / to);
                });
                const energy = Math.sqrt(middle.reduce((sum, x) => sum + x * x, 0) * 2 / middle.length);
                return { energy, same: 2 * Math.hypot(a, b) / middle.length, length: out.length / to };
            };
            const tones = [[48000, 24000, 1000], [44100, 24000, 3000], [24000, 48000, 5000], [48000, 24000, 15000]];
            return tones.map((tone) => gain(...tone));
        }"""
    )
    for kept in gains[:3]:
        assert abs(kept["energy"] - 1) < 0.02 and abs(kept["same"] - 1) < 0.02 and abs(kept["length"] - 1) < 0.005
    assert gains[3]["energy"] < 0.02  # above what 24 kHz can hold


def test_the_playback_buffer_starts_late_grows_with_gaps_and_drops_the_oldest(page):
    seen = page.evaluate(
        """async () => {
            const { JitterBuffer } = await import("/jitter.js");
            const rate = 24000, frame = () => new Float32Array(1920).fill(0.5), out = new Float32Array(128);
            const buffer = new JitterBuffer(rate);
            const play = (ms) => {
                let heard = 0, jump = 0, last = play.last ?? 0;
                for (let n = 0; n < ms * rate / 1000; n += 128) {
                    buffer.pull(out);
                    for (const x of out) { heard += x !== 0; jump = Math.max(jump, Math.abs(x - last)); last = x; }
                }
                play.last = last;
                return { heard, jump };
            };
            const seen = {};
            seen.empty = play(200).heard;
            buffer.push(frame());
            seen.early = play(70).heard;
            buffer.push(frame());
            const begun = play(60);
            seen.begun = begun.heard;
            const dry = play(400);
            seen.gaps = buffer.gaps;
            seen.keep = buffer.keep / rate;
            seen.jump = Math.max(begun.jump, dry.jump);
            for (let i = 0; i < 20; i++) buffer.push(frame());
            play(120);
            seen.left = buffer.seconds;
            seen.dropped = buffer.dropped / rate;
            for (let i = 0; i < 12; i++) { buffer.push(frame()); play(80); }
            seen.gapsInTheEnd = buffer.gaps;
            return seen;
        }"""
    )
    assert seen["empty"] == seen["early"] == 0 and seen["begun"] > 1000
    assert seen["gaps"] == 1 and seen["keep"] == pytest.approx(0.12)
    assert seen["jump"] < 0.02  # no click
    assert 0.8 < seen["dropped"] < 1.6 and seen["left"] < 0.4
    assert seen["gapsInTheEnd"] == 1
