"""`python -m personaplex.bench.mini [ARCHIVE]`: speak the mini set anew and pack it into the package, or elsewhere."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from personaplex.bench.mini import ARCHIVE, build, pack
from personaplex.errors import UserError


def main() -> None:
    """Build, pack, and say how large it became."""
    archive = Path(sys.argv[1]) if len(sys.argv) > 1 else ARCHIVE
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        pack(Path(folder), archive)
    print(f"{archive}: {archive.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
