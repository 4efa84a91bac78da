"""What a room, a microphone and a line do to the user's voice: level, tone, reverberation, echo and noise.

Knows sound only. The agent's channel never passes here.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from personaplex.frames import SAMPLE_RATE

SPEECH_DB = (-32.0, -16.0)  # dBFS, root mean square of the user's speech
NOISE_DB = (-75.0, -45.0)
ECHO_DB = (-50.0, -35.0)  # of the agent in the user's microphone, relative to the agent
_PINK = ([0.049922035, -0.095993537, 0.050612699, -0.004408786], [1.0, -2.494956002, 2.017265875, -0.522189400])


def user_microphone(user: np.ndarray, agent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The user's channel as recorded.

    Args:
        user: clean speech, float32 `[samples]`, 24 kHz.
        agent: what the loudspeaker plays meanwhile, the same shape.
        rng: all chance comes from it.

    Returns:
        float32 `[samples]` within -1..1.
    """
    out = _level(user, rng.uniform(*SPEECH_DB))
    out = _tone(out, rng)
    if rng.random() < 0.5:
        out = _room(out, rng)
    if rng.random() < 0.2:
        delay = int(rng.uniform(0.04, 0.35) * SAMPLE_RATE)
        echo = np.zeros_like(agent)
        echo[delay:] = agent[:-delay] * _factor(rng.uniform(*ECHO_DB))
        out = out + signal.sosfilt(signal.butter(2, [200, 4000], "band", fs=SAMPLE_RATE, output="sos"), echo)
    if rng.random() > 0.08:  # else digital silence, as from a muted line
        out = out + _noise(len(out), rng) * _factor(rng.uniform(*NOISE_DB))
    return np.clip(out, -1, 1).astype(np.float32)


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _level(sound: np.ndarray, decibels: float) -> np.ndarray:
    active = sound[np.abs(sound) > 1e-4]
    if not len(active):
        return sound
    gain = _factor(decibels) / float(np.sqrt(np.mean(active**2)))
    return sound * min(gain, 0.95 / float(np.abs(sound).max()))


def _tone(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tilt of up to 6 dB about 1 kHz, and for some a telephone's or a cheap microphone's band."""
    tilt = rng.uniform(-6, 6)
    low = signal.sosfilt(signal.butter(1, 1000, fs=SAMPLE_RATE, output="sos"), sound)
    out = low * _factor(-tilt / 2) + (sound - low) * _factor(tilt / 2)
    roll = rng.random()
    if roll < 0.2:
        out = signal.sosfilt(signal.butter(3, [300, 3400], "band", fs=SAMPLE_RATE, output="sos"), out)
    elif roll < 0.4:
        out = signal.sosfilt(signal.butter(2, rng.uniform(3500, 8000), fs=SAMPLE_RATE, output="sos"), out)
    elif roll < 0.55:
        out = signal.sosfilt(signal.butter(1, rng.uniform(80, 250), "high", fs=SAMPLE_RATE, output="sos"), out)
    return out


def _room(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Reverberation of 0.1 to 0.4 s, 8 to 22 dB below the direct sound."""
    seconds = rng.uniform(0.1, 0.4)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / seconds)
    tail[: int(0.004 * SAMPLE_RATE)] = 0
    tail *= _factor(rng.uniform(-22, -8)) / np.sqrt(np.sum(tail**2))
    return sound + signal.oaconvolve(sound, tail)[: len(sound)]


def _noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of root mean square 1: white, pink, brown or hum, its level drifting slowly."""
    kind = rng.choice(["white", "pink", "brown", "hum"], p=[0.25, 0.4, 0.2, 0.15])
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
    drift = 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.03, 0.3) * np.arange(count) / SAMPLE_RATE + rng.uniform(0, 6))
    drifting = noise * drift
    return drifting / np.sqrt(np.mean(drifting**2))
