"""A model directory may say how its model chooses tokens: the default everywhere, and no more than that."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from personaplex.audio import write_wav
from personaplex.checkpoints import load_model
from personaplex.cli import main
from personaplex.engine import Engine
from personaplex.errors import UserError
from personaplex.lm.sampling import Sampling
from personaplex.serve.service import Service, read_wish
from tests.helpers import tiny_model

OWN = {"temp_text": 0.3, "topk_audio": 9}
CALM = Sampling(temp_text=0.3, topk_audio=9)


def with_sampling(directory, sampling):
    """A copy's `config.json` with that under personaplex.sampling."""
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config["personaplex"]["sampling"] = sampling
    path.write_text(json.dumps(config))
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return with_sampling(tiny_model(tmp_path_factory.mktemp("models")).path, OWN)


def test_the_engine_and_the_server_take_the_models_own_unless_asked(directory):
    model = load_model(directory)
    engine = Engine(model, 2)
    assert engine.open(None).sampling == CALM
    assert engine.open(None, Sampling(greedy=True)).sampling == Sampling(greedy=True)
    service = Service(model, capacity=1)
    assert read_wish({}, service).sampling == CALM
    asked = {"text_temperature": "0.9", "word_temperature": "0.5"}
    assert read_wish(asked, service).sampling == CALM.but(temp_text=0.9, temp_word=0.5)
    assert service.describe()["sampling"]["text_temperature"] == 0.3


def test_offline_takes_the_models_own_unless_asked(directory, tmp_path):
    write_wav(tmp_path / "in.wav", np.zeros(4 * 1920, np.float32))

    def used(*options):
        given = ["--model", directory, "--input-wav", tmp_path / "in.wav", "--output-wav", tmp_path / "out.wav"]
        given += ["--output-text", tmp_path / "out.json", "--seed", 1, "--text-prompt", "hello", *options]
        result = CliRunner().invoke(main, ["offline", *map(str, given)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return Sampling(**json.loads((tmp_path / "out.json").read_text())["meta"]["sampling"])

    assert used() == CALM
    assert used("--temp-text", 1.5, "--topk-text", 3) == CALM.but(temp_text=1.5, topk_text=3)


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        ([0.3], "it is no object"),
        ({"temperature": 0.3}, "it has temperature"),
        ({"temp_text": "hot"}, "temp_text is 'hot'"),
        ({"temp_text": None}, "temp_text is None"),
        ({"temp_audio": float("inf")}, "temp_audio is inf"),
        ({"topk_text": 2.5}, "topk_text is 2.5"),
        ({"greedy": 1}, "greedy is 1"),
        ({"temp_text": True}, "temp_text is True"),
        ({"temp_text": 0}, "a temperature must be above 0"),
        ({"topk_text": -1}, "top-k must be at least 1"),
    ],
)
def test_a_bad_one_is_one_clear_sentence(directory, sampling, words):
    try:
        with pytest.raises(UserError, match="personaplex.sampling gives numbers for.*" + words) as caught:
            load_model(with_sampling(directory, sampling))
        assert "\n" not in str(caught.value)
    finally:
        with_sampling(directory, OWN)
