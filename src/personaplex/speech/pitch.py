"""How high a voice is, every 20 ms, by pYIN (Mauch and Dixon 2014). Knows no words and no speakers."""

from __future__ import annotations

import numpy as np

from personaplex.frames import PITCH_RANGE, PITCH_SAMPLES, SAMPLE_RATE

_RATE = 8000  # that pYIN runs at: thrice as fast as at ours, and pitch is far below
_STEP = 0.15  # semitones between pitches: the usual 0.1 takes twice as long, and from 0.2 on glides are missed
_QUIET = 50  # dB below the loudest: no voice


def track_pitch(pcm: np.ndarray) -> np.ndarray:
    """The pitch of float32 mono `[n]` at 24 kHz: float32 `[ceil(n / 480)]`, Hz at every 480th sample, 0 where unvoiced.

    Raises:
        UserError: when librosa is absent.
    """
    try:
        import librosa
        from scipy.signal import resample_poly
    except ImportError as error:
        from personaplex.errors import UserError

        raise UserError("Pitch is tracked by librosa; get it with: pip install 'personaplex[synth]'") from error
    out = np.zeros(-(-len(pcm) // PITCH_SAMPLES), dtype=np.float32)
    if not np.any(pcm):
        return out
    hop = PITCH_SAMPLES * _RATE // SAMPLE_RATE
    slow = resample_poly(pcm, 1, SAMPLE_RATE // _RATE).astype(np.float32)
    for start, end in librosa.effects.split(slow, top_db=_QUIET, frame_length=4 * hop, hop_length=hop):
        first = start // hop
        pitch, voiced, _ = librosa.pyin(
            slow[first * hop : end],
            fmin=PITCH_RANGE[0],
            fmax=PITCH_RANGE[1],
            sr=_RATE,
            frame_length=512,
            hop_length=hop,
            resolution=_STEP,
        )
        pitch = np.where(voiced, pitch, 0.0)[: len(out) - first]
        out[first : first + len(pitch)] = pitch
    return out
