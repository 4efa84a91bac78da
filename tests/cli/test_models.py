"""`personaplex models` says where each model is, its licence and whether it runs, and downloads nothing."""

import pytest
from click.testing import CliRunner

from personaplex.checkpoints import names
from personaplex.cli import main


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch, tmp_path):
    """No bundled model, no cache, no token, and no way to the hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(names, "BUNDLED", tmp_path / "models")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(names, "fetch", lambda *_: pytest.fail("nothing may be fetched"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path):
    """A model directory."""
    from tests.checkpoints.conftest import Parts, tiny_model_parts

    parts: Parts = tiny_model_parts(tmp_path)
    parts.save(tmp_path / "models" / "nano", voice_seconds=4.0)
    return tmp_path / "models" / "nano"


def run(*arguments):
    return CliRunner().invoke(main, ["models", *arguments], catch_exceptions=False)


def test_every_named_model_is_listed_with_its_state_and_licence(folder):
    output = run().output
    lines = output.splitlines()
    for name in names.NAMED:
        assert any(line.startswith(name) for line in lines)
    assert "ready (bundled)" in lines[0] and "MIT" in lines[0]
    assert "NVIDIA Open Model License" in output and "CC-BY 4.0" in output
    assert "needs HF_TOKEN and the licence accepted at https://huggingface.co/nvidia/personaplex-7b-v1" in " ".join(
        output.split()
    )
    assert "its first use downloads 15.8 GB" in " ".join(output.split())


def test_with_a_token_a_gated_model_is_only_a_download_away(folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "x")
    assert "first use downloads 17.1 GB" in " ".join(run("--model", "personaplex-7b-v1").output.split())


def test_one_model_is_told_in_full(folder):
    for name in ("nano", str(folder)):
        output = run("--model", name).output
        for word in (
            "parameters",
            "2 layers of width 32",
            "context",
            "4 codebooks of 32",
            "290 pieces",
            "NATF0",
            "4 s",
        ):
            assert word in output, word
    assert "ready (local)" in output and "ready (bundled)" in run("--model", "nano").output


def test_a_model_that_would_not_load_is_not_called_ready(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    for arguments in ((), ("--model", "nano")):
        output = run(*arguments).output
        assert "incomplete (bundled)" in output and "cut short" in " ".join(output.split())


def test_an_absent_bundled_model_is_said_to_be():
    output = " ".join(run().output.split())
    assert "nano missing MIT" in output and "not in this installation" in output


def test_an_unknown_model_is_one_sentence_and_status_2():
    result = run("--model", "moshikk")
    assert result.exit_code == 2 and "There is no model 'moshikk'." in result.stderr
