"""G.711, the sound of telephones: 8-bit logarithmic samples at 8 kHz (ITU-T G.711, μ-law and A-law).

Knows samples only. `Companded` is a wire (`serve.wire`): it resamples between the telephone's rate and ours and
remembers what came before.
"""

from __future__ import annotations

import numpy as np

from personaplex.audio import Resampler
from personaplex.frames import SAMPLE_RATE

RATE = 8_000  # Hz
_BIAS = 0x84  # of μ-law, in 16 bits


def _ulaw_table() -> np.ndarray:
    """What each of the 256 bytes means, int16."""
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + _BIAS << (code >> 4 & 7)) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> np.ndarray:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 0x0F
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, (mantissa << 4) + 0x108 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _encoder(table: np.ndarray) -> np.ndarray:
    """The byte of the nearest value, for each of the 65,536 samples from -32768 on."""
    order = np.argsort(table, kind="stable")
    values = table[order].astype(np.int32)
    middles = (values[1:] + values[:-1]) / 2
    return order[np.searchsorted(middles, np.arange(-32768, 32768))].astype(np.uint8)


TABLES = {"ulaw": _ulaw_table(), "alaw": _alaw_table()}
_ENCODERS = {law: _encoder(table) for law, table in TABLES.items()}


def decode(data: bytes, law: str) -> np.ndarray:
    """Bytes → float32 `[n]` at 8 kHz; `law` is "ulaw" or "alaw"."""
    return TABLES[law][np.frombuffer(data, np.uint8)].astype(np.float32) / 32768


def encode(pcm: np.ndarray, law: str) -> bytes:
    """Float `[n]` at 8 kHz in -1..1 → bytes, each the nearest value that there is."""
    samples = np.clip(np.rint(np.asarray(pcm, np.float64) * 32768), -32768, 32767).astype(np.int32)
    return _ENCODERS[law][samples + 32768].tobytes()


class Companded:
    """A wire of G.711 at 8 kHz. Part of a frame may come out with the next one: resampling looks ahead a little."""

    def __init__(self, law: str):
        self._law = law
        self._up = Resampler(RATE, SAMPLE_RATE, "MQ")  # the one that looks ahead least, 15 ms, without aliasing
        self._down = Resampler(SAMPLE_RATE, RATE, "MQ")

    def decode(self, payload: bytes) -> np.ndarray:
        """What the caller says, at 24 kHz."""
        return self._up.push(decode(payload, self._law))

    def encode(self, pcm: np.ndarray) -> bytes:
        """What the caller hears."""
        return encode(self._down.push(pcm), self._law)
