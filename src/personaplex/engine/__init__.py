"""Many conversations in one batch, one tick each 80 ms.

Knows slots, prefill, the cache of prompts already seen, and the trace of a conversation. Does not know networks, event loops
or files: whoever moves the sound in and out does.
"""
