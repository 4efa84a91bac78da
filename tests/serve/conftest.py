"""A tiny model with random weights, and servers of it."""

import pytest

from tests.helpers import one_thread, tiny_model
from tests.serve.talker import serving


@pytest.fixture(scope="session", autouse=True)
def quick():
    with one_thread():
        yield


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="session")
def server(model):
    """A server with two places, for tests that leave it as they found it."""
    with serving(model, sessions=2, backlog=500) as served:
        yield served
