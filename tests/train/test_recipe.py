import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from personaplex.checkpoints import load_model
from tests.helpers import tiny_tokenizer

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not shutil.which("flite"), reason="needs flite (Debian: flite)")
@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng (Debian: espeak-ng)")
def test_the_recipe_goes_all_the_way_in_pieces(tmp_path):
    small = {
        "WORK": str(tmp_path),
        "HOURS": "0.06",
        "MORE_HOURS": "0.01",
        "CODEC_STEPS": "3",
        "DEEPER_STEPS": "2",
        "SPEAK_STEPS": "2",
        "LISTEN_STEPS": "2",
        "LM_STEPS": "2",
        "LAST_STEPS": "2",
        "SCRIPTS": "200",
        "PRESET": "tiny",
        "HELD_OUT": "0",
    }
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"

    def run(recipe="nano", **changes):
        environment = os.environ | small | changes | {"PATH": path}
        return subprocess.run(
            ["bash", f"recipes/{recipe}.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400
        )

    stopped = run(MINUTES="0")  # the codec's budget is spent at once
    assert stopped.returncode == 0 and "0 of 3 steps" in stopped.stderr, stopped.stderr
    finished = run()
    assert finished.returncode == 0, finished.stderr
    model = load_model(tmp_path / "model")
    assert len(model.voices.names()) == 18
    assert sum(file.stat().st_size for file in (tmp_path / "model").rglob("*") if file.is_file()) < 40e6

    # And further from there, on dialogues and scripts that are there already.
    further = {"WORK": str(tmp_path / "further"), "STEPS": "2"}
    for made in ("corpus", "codes", "scripts"):
        shutil.copytree(tmp_path / made, tmp_path / "further" / made)
    nowhere = run("further", **further, FROM=str(tmp_path))
    assert nowhere.returncode == 1 and "is no model directory" in nowhere.stderr
    finished = run("further", **further, FROM=str(tmp_path / "model"))
    assert finished.returncode == 0, finished.stderr
    assert load_model(tmp_path / "further/model").voices.names()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_ablations_become_a_table_in_pieces(tmp_path, codes):
    """On codes, scripts and held-out codes as the recipe leaves them."""
    script = {"role": "R", "turns": [{"who": "user", "text": "what"}, {"who": "agent", "text": "hello answer"}]}
    for folder in (tmp_path, tmp_path / "out"):
        shutil.copytree(codes, folder / "codes")
        index = json.loads((codes / "index.json").read_text()) | {"card": 512}  # that of the preset
        (folder / "codes/index.json").write_text(json.dumps(index))
        (folder / "scripts").mkdir()
        (folder / "scripts/scripts.jsonl").write_text(json.dumps(script))
    (tmp_path / "out/corpus").mkdir()
    (tmp_path / "out/corpus/stats.json").touch()
    shutil.copy(tiny_tokenizer(), tmp_path / "tokenizer.model")

    def run(**changes):
        small = {"WORK": str(tmp_path), "OUT": str(tmp_path / "out"), "PRESET": "tiny", "STEPS": "1"}
        path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
        environment = os.environ | small | changes | {"PATH": path}
        return subprocess.run(
            ["bash", "recipes/ablations.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400
        )

    strange = run(ROWS="everything")
    assert strange.returncode == 1 and "There is no row everything" in strange.stderr
    stopped = run(ROWS="data-25 no-writing", MINUTES="0")
    assert stopped.returncode == 0 and "0 of 1 steps" in stopped.stderr, stopped.stderr
    finished = run(ROWS="data-25 no-writing")
    assert finished.returncode == 0, finished.stderr
    head, _, *rows = (tmp_path / "out/table.md").read_text().splitlines()
    assert [row.split("|")[1].strip() for row in rows] == ["data-25", "no-writing"]
    assert "false starts" in head and all(row.count("|") == head.count("|") and "–" not in row for row in rows)
