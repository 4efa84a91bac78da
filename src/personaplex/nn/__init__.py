"""Streaming building blocks: state, convolutions, attention with a ring KV cache. Knows nothing of tokens, codecs or sessions."""
