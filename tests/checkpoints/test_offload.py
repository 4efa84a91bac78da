import numpy as np
import pytest

from personaplex.checkpoints import load_model
from personaplex.checkpoints.offload import WORKING_BYTES, offload_model, state_bytes
from personaplex.engine import Engine
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES
from personaplex.nn.offload import weight_bytes
from personaplex.persona.persona import Persona
from tests.helpers import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"), num_layers=4)


def needed(model, rows):
    """What all of the model and its state take."""
    return weight_bytes(model.lm) + weight_bytes(model.codec) + state_bytes(model.lm, rows) + WORKING_BYTES


def talk(model):
    engine = Engine(model, capacity=2)
    conversation = engine.open(Persona("You are wise.", model.voices.load("NATF2", model)), seed=1)
    conversation.push(np.random.default_rng(0).normal(0, 0.1, 6 * FRAME_SAMPLES).astype(np.float32))
    while engine.tick():
        pass
    return np.stack([output.tokens for output in conversation.pull()])


def test_what_does_not_fit_travels_and_the_conversation_stays_the_same(model):
    block, rows = weight_bytes(model.lm.transformer.layers[0]), 4
    for short, travelling in ((0, 0), (1, 2), (block, 2), (block + 1, 3)):  # one more, for the room of the visitor
        small = load_model(model.path)
        assert offload_model(small, "cpu", rows, free=needed(model, rows) - short) == travelling
        assert np.array_equal(talk(small), talk(model))


def test_a_device_for_which_even_that_is_too_much_is_a_sentence(model):
    with pytest.raises(UserError, match="even with --cpu-offload, and 0.0 GiB are free; lower --max-sessions"):
        offload_model(load_model(model.path), "cpu", 4, free=1000)


def test_the_state_takes_what_was_reckoned(model):
    state = model.lm.init_state(4)
    kept = sum(cache.keys.nbytes + cache.values.nbytes for cache in state.caches)
    assert state_bytes(model.lm, 4) == kept


@pytest.mark.gpu
def test_it_travels_to_a_gpu(model):
    small, whole = load_model(model.path), load_model(model.path, device="cuda")
    block = weight_bytes(model.lm.transformer.layers[0])
    assert offload_model(small, "cuda", 4, free=needed(model, 4) - block) == 2
    assert not next(small.lm.transformer.layers[3].parameters()).is_cuda
    assert np.array_equal(talk(small), talk(whole))
