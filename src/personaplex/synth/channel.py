"""What a room, a microphone and a line do to the user's voice: level, tone, reverberation, echo, noise, other people.

Knows sound only. The agent's channel never passes here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from personaplex.frames import SAMPLE_RATE

SPEECH_DB = (-40.0, -14.0)  # dBFS, root mean square of the user's speech
SNR_DB = (8.0, 55.0)  # of speech over noise; the noisy end is rare
SILENT, QUIET = 0.13, 0.13  # shares of users with digital silence when they pause, and with only a faint floor:
FLOOR_DB = (-90.0, -65.0)  # dBFS. Files and noise suppressors sound so, and a model that never met it mishears them
ECHO_DB = (-50.0, -20.0)  # of the agent in the user's microphone, relative to the agent; the loud end is rare
OTHERS_DB = (10.0, 26.0)  # by which people in the background are below the user
_PHONE_RATE = 8000
_PINK = ([0.049922035, -0.095993537, 0.050612699, -0.004408786], [1.0, -2.494956002, 2.017265875, -0.522189400])
_NOISES = {"white": 0.18, "pink": 0.34, "brown": 0.16, "hum": 0.12, "keys": 0.1, "tones": 0.1}


@dataclass(frozen=True)
class Conditions:
    """What was drawn for a recording; None for what there is none of.

    Attributes:
        level_db: dBFS of the speech.
        snr_db: of the speech over the noise.
        noise: its kind, such as `pink`.
        echo_db: of the agent's echo, relative to the agent.
        room: whether it reverberates.
        others: whether somebody talks in the background.
        line: `clean`, `loud` (too much gain), or `telephone`.
    """

    level_db: float
    snr_db: float | None
    noise: str | None
    echo_db: float | None
    room: bool
    others: bool
    line: str


def user_microphone(
    user: np.ndarray, agent: np.ndarray, rng: np.random.Generator, others: np.ndarray | None = None
) -> tuple[np.ndarray, Conditions]:
    """The user's channel as recorded, and under what conditions.

    Args:
        user: clean speech, float32 `[samples]`, 24 kHz.
        agent: what the loudspeaker plays meanwhile, the same shape.
        rng: all chance comes from it.
        others: people who talk in the background, to somebody else, the same shape; any level.

    Returns:
        float32 `[samples]` within -1..1, and what was drawn.
    """
    level = rng.uniform(*SPEECH_DB)
    out = _level(user, level)
    if others is not None:
        out = out + _far(_level(others, level - rng.uniform(*OTHERS_DB)), rng)
    out = _tone(out, rng)
    snr = noise = echo_db = None
    if room := rng.random() < 0.45:
        out = _room(out, rng)
    if rng.random() < 0.3:
        echo, echo_db = _echo(agent, rng)
        out = out + echo
    if (roll := rng.random()) > SILENT:
        snr = SNR_DB[0] + (SNR_DB[1] - SNR_DB[0]) * float(rng.beta(2.2, 1.6))
        if roll < SILENT + QUIET:
            snr = level - float(rng.uniform(*FLOOR_DB))
        sound, noise = _noise(len(out), rng)
        out = out + sound * _factor(level - snr)
    out, line = _line(out, rng)
    conditions = Conditions(level, snr, noise, echo_db, room, others is not None, line)
    return np.clip(out, -1, 1).astype(np.float32), conditions


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _level(sound: np.ndarray, decibels: float) -> np.ndarray:
    active = sound[np.abs(sound) > 1e-4]
    if not len(active):
        return sound
    gain = _factor(decibels) / float(np.sqrt(np.mean(active**2)))
    return sound * min(gain, 0.95 / float(np.abs(sound).max()))


def _butter(order: int, edges: float | list[float], kind: str = "low") -> np.ndarray:
    return np.asarray(signal.butter(order, edges, kind, fs=SAMPLE_RATE, output="sos"))


def _far(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Speech from another corner of the room: dull, and more of its echo than of itself."""
    return np.asarray(_room(signal.sosfilt(_butter(1, rng.uniform(1200, 4000)), sound), rng, (-8.0, 0.0)))


def _tone(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tilt of up to 8 dB about 1 kHz, and for some a cheap microphone's or a codec's band."""
    tilt = rng.uniform(-8, 8)
    low = signal.sosfilt(_butter(1, 1000), sound)
    out = low * _factor(-tilt / 2) + (sound - low) * _factor(tilt / 2)
    roll = rng.random()
    if roll < 0.2:
        out = signal.sosfilt(_butter(4, float(rng.choice([4000, 6000, 8000, 10_000]))), out)
    elif roll < 0.32:
        out = signal.sosfilt(_butter(2, rng.uniform(3500, 8000)), out)
    elif roll < 0.47:
        out = signal.sosfilt(_butter(1, rng.uniform(80, 300), "high"), out)
    return np.asarray(out)


def _room(sound: np.ndarray, rng: np.random.Generator, below: tuple[float, float] = (-22.0, -7.0)) -> np.ndarray:
    """Reverberation of 0.1 to 0.5 s, by default 7 to 22 dB below the direct sound."""
    seconds = rng.uniform(0.1, 0.5)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / seconds)
    tail[: int(0.004 * SAMPLE_RATE)] = 0
    tail *= _factor(rng.uniform(*below)) / np.sqrt(np.sum(tail**2))
    return np.asarray(sound + signal.oaconvolve(sound, tail)[: len(sound)])


def _echo(agent: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The agent's own voice, late, through a small loudspeaker, and its level relative to the agent in dB."""
    delay = int(rng.uniform(0.04, 0.35) * SAMPLE_RATE)
    echo = np.zeros_like(agent)
    decibels = ECHO_DB[0] + (ECHO_DB[1] - ECHO_DB[0]) * float(rng.beta(1.3, 2.5))
    echo[delay:] = agent[:-delay] * _factor(decibels)
    return np.asarray(signal.sosfilt(_butter(1, [200, 4000], "band"), echo)), decibels


def _line(sound: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """For some: too much gain, or a telephone's band and its 8-bit steps; and which (see `Conditions`)."""
    roll = rng.random()
    if roll < 0.05:
        gain = rng.uniform(1.2, 2.5) / max(float(np.abs(sound).max()), 1e-3)
        return np.clip(sound * gain, -1, 1) * rng.uniform(0.3, 1), "loud"
    if roll < 0.2:
        sound = signal.sosfilt(_butter(3, [300, 3400], "band"), sound)
        if rng.random() < 0.6:
            slow = signal.resample_poly(sound, 1, SAMPLE_RATE // _PHONE_RATE)
            steps = np.sign(slow) * np.log1p(255 * np.minimum(np.abs(slow), 1)) / np.log(256)
            coarse = np.round(steps * 127) / 127
            slow = np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256)) / 255
            sound = signal.resample_poly(slow, SAMPLE_RATE // _PHONE_RATE, 1)[: len(sound)]
        return np.asarray(sound), "telephone"
    return sound, "clean"


def _noise(count: int, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Noise of root mean square 1, its level drifting slowly, and its kind."""
    kind = str(rng.choice(list(_NOISES), p=list(_NOISES.values())))
    noise: np.ndarray = rng.standard_normal(count, dtype=np.float32)
    if kind == "pink":
        noise = signal.lfilter(*_PINK, noise)
    elif kind == "brown":
        noise = signal.lfilter([1.0], [1.0, -0.985], noise)
    elif kind == "hum":
        time = np.arange(count) / SAMPLE_RATE
        base = rng.choice([50.0, 60.0])
        hum = sum(np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6)) / k for k in (1, 2, 3, 5))
        noise = hum + 0.3 * noise
    elif kind == "keys":
        noise = _keys(noise, rng)
    elif kind == "tones":
        noise = _tones(noise, rng)
    drift = 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.03, 0.3) * np.arange(count) / SAMPLE_RATE + rng.uniform(0, 6))
    drifting = noise * drift
    return np.asarray(drifting / np.sqrt(np.mean(drifting**2))), kind


def _keys(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A keyboard: short clicks, several a second, over faint noise."""
    size = int(0.02 * SAMPLE_RATE)
    out = 0.1 * noise
    for at in rng.integers(0, max(len(noise) - size, 1), int(rng.uniform(0.5, 5) * len(noise) / SAMPLE_RATE) + 1):
        part = out[at : at + size]
        fading = np.exp(-np.arange(len(part)) / rng.uniform(20, 120))
        part += rng.standard_normal(len(part)) * fading * rng.uniform(0.5, 3)
    return out


def _tones(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Something like music: notes of a scale, each dying away."""
    out = 0.1 * noise
    at, root = 0, rng.uniform(110, 330)
    while at < len(out):
        time = np.arange(min(int(rng.uniform(0.15, 0.8) * SAMPLE_RATE), len(out) - at)) / SAMPLE_RATE
        hertz = root * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 12, 16]) / 12)
        note = np.sin(2 * np.pi * hertz * time) + 0.4 * np.sin(4 * np.pi * hertz * time)
        out[at : at + len(time)] += note * np.exp(-3 * time)
        at += len(time)
    return out
