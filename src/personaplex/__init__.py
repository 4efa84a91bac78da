"""PersonaPlex: a full-duplex speech-to-speech conversation whose role and voice you choose.

A conversation is a grid of frames. Every 80 ms holds one agent-text token, the agent's audio codes and the user's audio
codes; a persona is a few frames written on that grid beforehand. `personaplex.frames` is where to begin reading.
"""

__version__ = "0.1.0"
