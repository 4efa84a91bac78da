"""A speech engine for tests."""

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import Utterance, Word, words_of


class Buzz:
    """A text-to-speech engine that is always there: a third of a second of tone for each word."""

    def say(self, text, speaker):
        words = tuple(Word(w, i / 3, (i + 1) / 3) for i, w in enumerate(words_of(text)))
        pcm = np.sin(np.arange(len(words) * SAMPLE_RATE // 3) / 20).astype(np.float32)
        return Utterance(pcm, words)
