"""What the page does with sound and time, in a real browser: the modules that it is built of."""

import pytest

from tests.serve.page_browser import Visit, launch

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(server):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        visit = Visit(browser, server)
        visit.open()
        yield visit.page
        visit.close()
        browser.close()


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


def test_who_speaks_when_is_named(page):
    seen = page.evaluate(
        """async () => {
            const { Voicing, marks, answers } = await import("/turns.js");
            const speak = (parts) => {
                const voicing = new Voicing(-46);
                const loud = (frame) => parts.some(([from, to]) => frame >= from && frame < to);
                for (let frame = 0; frame < 300; frame++) voicing.add(loud(frame) ? 0.1 : 0.0005);
                voicing.finish();
                return voicing.stretches;
            };
            // The user asks with a breath inside, murmurs, interrupts; the agent murmurs; both talk on.
            const user = speak([[10, 20], [23, 40], [80, 86], [110, 160], [200, 290]]);
            const agent = speak([[50, 120], [135, 141], [180, 280]]);
            const named = marks(agent, user, 300).map(({ kind, side, start }) => [kind, side, start]);
            return { user, named, answers: answers(agent, user) };
        }"""
    )
    assert [(one["start"], one["end"]) for one in seen["user"]] == [(10, 40), (80, 86), (110, 160), (200, 290)]
    assert seen["named"] == [
        ["backchannel", "user", 80],
        ["interruption", "user", 110],
        ["backchannel", "agent", 135],
        ["overlap", "user", 200],
    ]
    assert seen["answers"] == [10, 20]


def test_an_echo_is_found_and_a_voice_is_not_taken_for_one(page):
    seen = page.evaluate(
        """async () => {
            const { ECHO_FRAMES, ECHO_STARTS, findEcho, notes } = await import("/echo.js");
            const played = notes(), size = 1920;
            let state = 1;
            const noise = () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5;
            const hear = (gain, late, room) => findEcho(Array.from({ length: ECHO_FRAMES }, (_, n) =>
                Int16Array.from({ length: size }, (_, i) => {
                    const at = (n - ECHO_STARTS) * size + i - late;
                    return 32767 * (gain * (played[at] ?? 0) + room(n * size + i) + 0.002 * noise());
                })));
            const silence = () => 0;
            const buzz = (t) => [1, 2, 3, 4, 5].reduce((sum, k) => sum + Math.sin(0.031 * k * t) / k, 0);
            const voice = (t) => 0.1 * Math.sin(2 * Math.PI * 3 * t / 24000) * buzz(t);
            const heard = [hear(0.3, 3000, silence), hear(0.02, 7000, silence), hear(0, 0, silence), hear(0, 0, voice)];
            return heard.map(({ echo }) => echo);
        }"""
    )
    assert seen == [True, True, False, False]  # loud, faint, none, a voice
