"""Personas: role text and voice sample to prompt frames, and the voice library. Knows no sessions or sockets."""
