"""Whole conversations: is it silent while spoken to, does it answer, hear, say what it writes, to the end?

On dialogues that `personaplex synth --split test` wrote, on long talks of ours, and on any recording.
"""

from personaplex.bench.talk.compose import compose
from personaplex.bench.talk.folders import BENCHMARK, SENTENCES, from_corpus, read_cases, recordings
from personaplex.bench.talk.score import score

__all__ = ["BENCHMARK", "SENTENCES", "compose", "from_corpus", "read_cases", "recordings", "score"]
