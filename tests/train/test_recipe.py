import os
import shutil
import subprocess
from pathlib import Path

import pytest

from personaplex.checkpoints import load_model

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("flite"), reason="needs flite (Debian: flite)")
@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng (Debian: espeak-ng)")
def test_the_recipe_goes_all_the_way_in_pieces(tmp_path):
    small = {
        "WORK": str(tmp_path),
        "HOURS": "0.02",
        "CODEC_STEPS": "3",
        "LM_STEPS": "2",
        "SCRIPTS": "200",
        "PRESET": "tiny",
    }
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"

    def run(**changes):
        environment = os.environ | small | changes | {"PATH": path}
        return subprocess.run(
            ["bash", "recipes/nano.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
        )

    stopped = run(MINUTES="0")  # the codec's budget is spent at once
    assert stopped.returncode == 0 and "0 of 3 steps" in stopped.stderr, stopped.stderr
    finished = run()
    assert finished.returncode == 0, finished.stderr
    model = load_model(tmp_path / "model")
    assert len(model.voices.names()) == 18
    assert sum(file.stat().st_size for file in (tmp_path / "model").rglob("*") if file.is_file()) < 40e6
