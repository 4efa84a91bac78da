"""The set in the box: twelve minutes that touch every task of every benchmark, so that all of it runs with no download.

It is made by our own synthesis from speakers and sentences that no training set has, and is packed into the wheel as
clean speech (Ogg Vorbis); `unpack` adds a quiet room's noise, the same each time. Its figures are of synthetic voices
and few samples: good for telling systems apart and for seeing that a change broke something, no more.

What it lacked lies in a second archive, `supplement`: four dialogues and a long talk, and voices to choose among.

`python -m personaplex.bench.mini [set|supplement]` speaks one anew and packs it; that needs flite and espeak-ng.
"""

from personaplex.bench.mini.archive import ARCHIVE, SUPPLEMENT, pack, unpack
from personaplex.bench.mini.build import MiniSet, build

__all__ = ["ARCHIVE", "SUPPLEMENT", "MiniSet", "build", "pack", "unpack"]
