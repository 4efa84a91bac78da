"""`python -m personaplex.bench.mini [set|supplement] [ARCHIVE]`: speak one of them anew and pack it.

Without an archive it goes into the package; without a name it is the set.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from personaplex.bench.mini import ARCHIVE, SUPPLEMENT, build, pack
from personaplex.bench.mini.supplement import supplement
from personaplex.errors import UserError


def main() -> None:
    """Build, pack, and say how large it became."""
    arguments = sys.argv[1:]
    named = arguments.pop(0) if arguments[:1] in (["set"], ["supplement"]) else "set"
    speak, own = (build, ARCHIVE) if named == "set" else (supplement, SUPPLEMENT)
    archive = Path(arguments[0]) if arguments else own
    with tempfile.TemporaryDirectory() as folder:
        speak(Path(folder))
        pack(Path(folder), archive)
    print(f"{archive}: {archive.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
