"""`personaplex synth`: the synthesis room's own command, which also runs as `python -m personaplex.synth`."""

from personaplex.synth.__main__ import synth

__all__ = ["synth"]
