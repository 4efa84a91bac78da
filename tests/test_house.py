"""The house itself: what a bare GPU machine can import, and what CI makes of a skipped test."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

BARE_MACHINE = """
import importlib, importlib.util, pkgutil, sys

ABSENT = {
    "aiohttp", "click", "huggingface_hub", "jiwer", "librosa", "matplotlib", "parselmouth", "pocketsphinx",
    "pyloudnorm", "resemblyzer", "scipy", "silero_vad", "soundfile", "soxr", "sphn", "starlette", "tensorboard", "tqdm",
    "uvicorn", "webrtcvad", "websockets",
}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
room = importlib.import_module("personaplex." + sys.argv[1])
for module in pkgutil.walk_packages(getattr(room, "__path__", []), room.__name__ + "."):
    importlib.import_module(module.name)
"""


@pytest.mark.parametrize(
    "room", ["errors", "frames", "text", "nn", "codec", "lm", "persona", "checkpoints", "engine", "train"]
)
def test_a_machine_with_only_torch_numpy_safetensors_and_sentencepiece_imports(room):
    done = subprocess.run([sys.executable, "-c", BARE_MACHINE, room], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite that skips in each way there is, under the house's own conftest."""
    shutil.copy(Path(__file__).with_name("conftest.py"), pytester.path / "conftest.py")
    pytester.makeini("[pytest]\nmarkers =\n    gpu\n    browser\n    oracle")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.gpu
        def test_gpu(): pytest.skip("no accelerator")

        def test_tool(): pytest.skip("flite is not installed")

        @pytest.mark.xfail
        def test_expected(): assert False

        def test_fine(): pass
        """
    )
    monkeypatch.delenv("CI", raising=False)
    return pytester


def test_a_skip_is_a_skip_at_home(suite):
    suite.runpytest().assert_outcomes(passed=1, skipped=2, xfailed=1)


def test_a_skip_for_anything_but_gpu_fails_under_ci(suite, monkeypatch):
    monkeypatch.setenv("CI", "true")
    result = suite.runpytest()
    result.assert_outcomes(passed=1, skipped=1, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["*test_tool was skipped under CI=true*", "*flite is not installed"])


def test_a_module_that_skips_itself_fails_under_ci(suite, monkeypatch):
    monkeypatch.setenv("CI", "true")
    suite.makepyfile(test_module="import pytest\npytest.importorskip('no_such_module')")
    result = suite.runpytest()
    result.assert_outcomes(errors=1)
    assert result.ret != 0
