"""Many conversations in one batch, one tick each 80 ms.

Knows rows, prefill, the cache of prompts already seen, and the trace of a conversation. Does not know networks, event
loops or files: whoever moves the sound in and out does.
"""

from personaplex.engine.conversation import Conversation, Output, Trace
from personaplex.engine.engine import Engine, EngineFull

__all__ = ["Conversation", "Engine", "EngineFull", "Output", "Trace"]
