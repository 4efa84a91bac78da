"""Streaming building blocks: state, convolutions, attention with a ring KV cache. Knows no tokens and no sessions."""
