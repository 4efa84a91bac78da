"""How high a voice is, every 20 ms, by Praat's autocorrelation (Boersma 1993). Knows no words and no speakers.

Not by librosa's pYIN: where several processes are the first to compile it at once, it may crash for good (numba's issue
10128).
"""

from __future__ import annotations

import numpy as np

from personaplex.frames import PITCH_RANGE, PITCH_SAMPLES, SAMPLE_RATE

_RATE = 8000  # that pitch is looked for at: of a voice that glides, harmonics far up are out of step with themselves
_STEP = PITCH_SAMPLES / SAMPLE_RATE  # seconds
_EDGE = 0.05  # seconds of silence on either side: Praat reads no pitch within half a window (three periods) of an end
_QUIET = 0.01  # of the loudest peak: no voice. Praat's own 0.03 loses the ends of words


def track_pitch(pcm: np.ndarray) -> np.ndarray:
    """The pitch of float32 mono `[n]` at 24 kHz: float32 `[ceil(n / 480)]`, Hz at every 480th sample, 0 where unvoiced.

    Raises:
        UserError: when parselmouth or scipy is absent.
    """
    try:
        import parselmouth
        from scipy.signal import resample_poly
    except ImportError as error:
        from personaplex.errors import UserError

        raise UserError("Pitch is tracked by Praat's library; get it with: pip install 'personaplex[synth]'") from error
    out = np.zeros(-(-len(pcm) // PITCH_SAMPLES), dtype=np.float32)
    if not np.any(pcm):
        return out
    slow = resample_poly(pcm.astype(np.float64), 1, SAMPLE_RATE // _RATE)
    sound = parselmouth.Sound(np.pad(slow, round(_EDGE * _RATE)), _RATE)
    low, high = PITCH_RANGE
    found = sound.to_pitch_ac(_STEP, low, silence_threshold=_QUIET, pitch_ceiling=high)
    times = _EDGE + _STEP * np.arange(len(out))  # Praat centres its points on the sound; it interpolates between them
    return np.nan_to_num(np.array([found.get_value_at_time(time) for time in times], dtype=np.float32))
