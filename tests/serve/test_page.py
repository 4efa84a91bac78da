"""The page in a real browser, with a WAV file as its microphone."""

import io
from contextlib import closing
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile

from personaplex.frames import FRAME_SECONDS, SAMPLE_RATE
from tests.serve.page_browser import MS, Visit, launch
from tests.serve.talker import serving, speech

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright, tmp_path_factory):
    """A browser whose microphone hears a voice for ever."""
    wav = tmp_path_factory.mktemp("microphone") / "voice.wav"
    soundfile.write(wav, np.tile(speech(25), 4), SAMPLE_RATE)
    browser = launch(
        playwright,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={wav}",
    )
    yield browser
    browser.close()


@pytest.fixture
def visit(browser, server):
    with closing(Visit(browser, server)) as visit:
        visit.open()
        yield visit


def download(visit, button):
    with visit.page.expect_download(timeout=MS) as info:
        visit.page.click(button)
    return info.value.suggested_filename, info.value.path().read_bytes()


def test_a_person_talks_mutes_ends_and_takes_the_recording_along(visit):
    page = visit.page
    assert "synthetic" in visit.text("body")
    page.click("text=Casual talk")
    assert page.input_value("#role") == "You enjoy having a good conversation."
    page.click(".chip[title=VARM3]")
    page.click("text=Advanced")
    page.fill("#seed", "12")
    visit.talk()
    assert visit.text("#status") == "Live"
    visit.received(15)
    visit.level("agent", above=0)
    visit.level("user", above=20)
    page.wait_for_selector("#words .line.agent", timeout=MS)
    assert visit.text("#seed-used") == "12"
    assert visit.text("#format") == ("Opus" if find_spec("av") else "PCM")
    page.keyboard.press("Space")  # the mute button has the focus
    visit.wait("() => document.getElementById('user-meter').ariaValueNow === '0'")
    assert "muted" in visit.text("#status")
    visit.received(5)  # the conversation goes on
    page.keyboard.press("Space")
    visit.level("user", above=20)
    page.click("#hang-up")
    visit.reach("ended")
    page.wait_for_selector("#summary", timeout=MS)

    name, recording = download(visit, "#download-audio")
    sound, rate = soundfile.read(io.BytesIO(recording))
    assert name.endswith(".wav") and rate == SAMPLE_RATE and sound.shape[1] == 2
    assert len(sound) / rate > 20 * FRAME_SECONDS and len(sound) % round(FRAME_SECONDS * rate) == 0
    user, agent = np.sqrt(np.mean(sound**2, axis=0))
    assert user > 0.03 and agent > 0.001
    name, transcript = download(visit, "#download-text")
    said = page.text_content("#words .line.agent span >> nth=0")
    assert b"VARM3 (synthetic)" in transcript and b"Seed: 12" in transcript and said.encode() in transcript

    page.click("#play")
    visit.wait("() => Number(document.querySelector('input[type=range]').value) > 0.2")
    page.click("#talk")  # and again
    visit.reach("live")
    page.click("#hang-up")
    page.wait_for_selector("#talk")
    page.reload()
    page.click(".history .open >> nth=-1")  # the browser has kept it
    visit.reach("replay")
    assert said in page.text_content("#words")


def test_a_microphone_is_tried_and_a_sound_card_of_another_rate_is_resampled(visit):
    visit.open("?rate=48000")
    visit.page.click("#try")
    visit.wait("() => document.querySelectorAll('.level .on').length > 4")
    # This microphone's voice does not keep quiet: where it begins with the notes, it sounds like an echo.
    for _ in range(4):
        visit.page.click("#echo")
        visit.wait("() => ['clear', 'echo'].includes(document.querySelector('.echo').dataset.verdict)")
        if (verdict := visit.page.get_attribute(".echo", "data-verdict")) == "clear":
            break
    assert verdict == "clear"
    visit.talk()
    visit.received(15)
    visit.level("agent", above=0)
    visit.level("user", above=20)


def test_what_the_server_refuses_is_shown(visit):
    page = visit.page
    page.fill("#role", "wise " * 200)
    page.click("#talk")
    visit.reach("error")
    assert "too long" in visit.text("#problem")
    page.fill("#role", "\N{CJK UNIFIED IDEOGRAPH-8A9E}" * 2000)  # 9 bytes each in an address
    page.click("#talk")
    visit.wait("() => document.getElementById('problem')?.textContent.includes('too long to be sent')")


def test_a_broken_connection_begins_again(browser, server):
    with closing(Visit(browser, server)) as visit:
        through = []

        def relay(socket):
            socket.connect_to_server()
            through.append(socket)

        visit.page.route_web_socket("**/api/chat*", relay)
        visit.open()
        visit.talk()
        visit.received(3)
        through[0].close(code=1012)
        visit.wait("() => document.querySelector('#words .note')?.textContent.includes('does not remember')")
        visit.reach("live")
        visit.received(3)


def test_a_denied_microphone_is_explained_and_forgiven(playwright, server):
    browser = launch(playwright, "--use-fake-device-for-media-stream")  # headless, it denies what was not granted
    with closing(Visit(browser, server)) as visit:
        visit.open()
        visit.page.click("#talk")
        visit.reach("error")
        assert "Allow it in the browser" in visit.text("#problem")
        assert "Set Microphone to Allow" in visit.text(".denied")
        visit.context.grant_permissions(["microphone"])
        visit.reach("idle")
        visit.talk()
    browser.close()


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(visit):
    page = visit.page
    names = page.evaluate(
        """[...document.querySelectorAll("button, input, textarea, select")].map(
            (field) => field.ariaLabel || field.labels?.[0]?.textContent || field.textContent)"""
    )
    assert all(name.strip() for name in names)
    page.keyboard.press("?")
    assert "mute and unmute" in visit.text("dialog")
    page.keyboard.press("Escape")
    page.focus("#talk")
    page.keyboard.press("Enter")
    visit.reach("live")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#talk", timeout=MS)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(browser, server, width):
    with closing(Visit(browser, server, viewport={"width": width, "height": 800}, reduced_motion="reduce")) as visit:
        fits = "document.documentElement.scrollWidth <= innerWidth"
        visit.open()
        assert visit.page.evaluate(fits)
        visit.talk()
        assert visit.page.evaluate(fits)
        assert visit.page.evaluate(
            "document.documentElement.scrollHeight <= innerHeight + 1"
        )  # the buttons are in view


@pytest.fixture(scope="module")
def keeping(model, tmp_path_factory):
    """A server that stores voices and personas and records."""
    folder = tmp_path_factory.mktemp("keeping")
    with serving(model, sessions=2, backlog=500, data=folder, record=folder / "recordings") as served:
        yield served


def test_voices_and_personas_are_kept_and_a_recording_is_heard_again(browser, keeping):
    with closing(Visit(browser, keeping)) as visit:
        visit.open()
        page = visit.page
        with page.expect_response("**/v1/voices/NATF2/preview") as preview:
            page.click("#preview")
        assert preview.value.status == 200
        page.wait_for_selector("#preview:has-text('Stop')")
        page.wait_for_selector("#preview:has-text('Listen')", timeout=MS)  # half a second later

        sample = io.BytesIO()
        soundfile.write(sample, speech(40), SAMPLE_RATE, format="FLAC")
        page.click("#add-voice")
        page.set_input_files("input[type=file]", {"name": "a.flac", "mimeType": "audio/flac", "buffer": b"no sound"})
        page.fill("dialog input[type=text]", "Ann")
        assert page.is_disabled("dialog .primary")  # without consent
        page.check("dialog input[type=checkbox]")
        page.click("dialog .primary")
        page.wait_for_selector("dialog [role=alert]:has-text('not WAV, FLAC, OGG or WebM')")
        page.set_input_files("input[type=file]", {"name": "a.flac", "mimeType": "", "buffer": sample.getvalue()})
        page.click("dialog .primary")
        page.wait_for_selector(".chip[title=Ann] input:checked", timeout=MS)

        page.fill("#role", "You are Ann.")
        page.click("text=Save this persona")
        page.fill("[aria-label='Name of the persona']", "My Ann")
        page.keyboard.press("Enter")
        page.wait_for_selector(".saved-one:has-text('My Ann')")
        page.fill("#role", "You are wise.")
        page.click(".chip[title=NATM0]")
        page.reload()
        page.click(".saved-one >> text=My Ann")
        assert page.input_value("#role") == "You are Ann."
        page.wait_for_selector(".chip[title=Ann] input:checked")

        page.check("label:has-text('The server may record') input")
        visit.talk()
        page.wait_for_selector("text=Recorded by the server", timeout=MS)  # the server says it once the talk has begun
        visit.received(15)
        page.wait_for_selector("#words .line.agent", timeout=MS)
        page.click("#hang-up")
        page.wait_for_selector("#summary", timeout=MS)
        said = page.text_content("#words .line.agent span >> nth=0")
        page.click("text=Change the persona")
        page.click(".history .open:has-text('on the server')", timeout=MS)
        visit.reach("replay")
        page.wait_for_selector("#summary", timeout=MS)
        assert "Ann" in visit.text(".facts") and said in page.text_content("#words")
        page.click("#play")
        visit.wait("() => Number(document.querySelector('input[type=range]').value) > 0.2")
        name, recording = download(visit, "#download-audio")
        assert name.endswith(".ogg") and soundfile.info(io.BytesIO(recording)).channels == 2
        page.click("text=Back")
        page.click("li:has-text('on the server') .icon-button")
        page.wait_for_selector(".history li:has-text('on the server')", state="detached")

        page.click("[aria-label='Delete My Ann']")
        page.wait_for_selector(".saved-one", state="detached")
        page.on("dialog", lambda dialog: dialog.accept())
        page.click(".row >> text=Delete >> nth=0")
        page.wait_for_selector(".chip[title=Ann]", state="detached")
        visit.faults = [fault for fault in visit.faults if "400" not in fault]  # the file that was no sound
