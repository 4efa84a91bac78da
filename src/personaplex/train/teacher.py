"""A speech encoder of the Hugging Face kind (WavLM, HuBERT, wav2vec 2.0, ...) as a teacher: its features at 12.5 Hz.

Runs while sound is packed, never while a codec is trained. Knows no codec.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE

_PIECE = 375  # frames that are encoded together: 30 s


class Teacher:
    """A frozen speech encoder.

    Args:
        name: of the hub, or a folder that `save_pretrained` wrote.

    Raises:
        UserError: when transformers is not installed, or the model can not be had or is no encoder of sound.
    """

    def __init__(self, name: str):
        try:
            from transformers import AutoFeatureExtractor, AutoModel
        except ImportError as error:
            raise UserError("A speech encoder as teacher needs transformers: pip install transformers.") from error
        try:
            self._extractor: Any = AutoFeatureExtractor.from_pretrained(name)
            self._model: Any = AutoModel.from_pretrained(name).eval().requires_grad_(False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"The teacher {name} can not be loaded: connect to the hub once, or name its folder."
            ) from error
        if self._model.main_input_name != "input_values":
            raise UserError(f"The teacher {name} does not take sound; WavLM and HuBERT are such as do.")
        self.width = int(self._model.config.hidden_size)

    @torch.inference_mode()
    def features(self, pcm: np.ndarray) -> np.ndarray:
        """Means of its last layer over each frame of int16 mono `[1920 * T]` at 24 kHz: float16 `[T, width]`.

        Pieces of 30 s are encoded apart.
        """
        from personaplex.audio import Resampler

        rate = int(self._extractor.sampling_rate)
        frames, made = len(pcm) // FRAME_SAMPLES, []
        sound = Resampler(SAMPLE_RATE, rate).push(pcm.astype(np.float32) / 32768, last=True)
        for start in range(0, frames, _PIECE):
            count = min(_PIECE, frames - start)
            piece = sound[round(start * FRAME_SAMPLES * rate / SAMPLE_RATE) :]
            piece = piece[: round(count * FRAME_SAMPLES * rate / SAMPLE_RATE)]
            # Its convolutions want a little more than whole frames; half of that on each side keeps features in place.
            margin = rate // 400
            given = self._extractor(np.pad(piece, margin), sampling_rate=rate, return_tensors="pt")
            hidden = self._model(given.input_values).last_hidden_state  # [1, n, width]
            made.append(F.adaptive_avg_pool1d(hidden.transpose(1, 2), count)[0].T.numpy())
        return np.concatenate([np.empty((0, self.width)), *made]).astype(np.float16)
