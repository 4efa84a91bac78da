"""The hybrid prompt and what follows it, against tokens that NVIDIA's program generated (`record_fork.py`)."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from personaplex.engine.stepper import Stepper, prefill
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.lm.sampling import Chooser, Sampling
from personaplex.persona.persona import Persona, build_prompt
from personaplex.persona.voices import Voice, load_voice_file

GOLDEN = Path(__file__).with_name("fork_greedy.npz")
ROLE = (17, 5, 130, 44, 17)
CONFIG = LMConfig(
    dim=32, num_layers=2, num_heads=2, context=200, text_card=150, dep_q=16,
    depformer_dim=16, depformer_dim_feedforward=64, depformer_num_heads=2, depformer_num_layers=2,
)  # fmt: skip


def golden_weights(shapes):
    """Names and tensors that are the same everywhere; `in_projs.k` and the like of other layouts are not asked for."""
    for name in sorted(shapes):
        rng = np.random.default_rng(list(name.encode()))
        values = rng.standard_normal(tuple(shapes[name]), dtype=np.float32)
        scale = 1.0 if "emb" in name else shapes[name][-1] ** -0.5
        yield name, torch.from_numpy(1 + 0.1 * values if "alpha" in name else values * scale)


@pytest.fixture(scope="module")
def model():
    lm = LanguageModel(CONFIG).eval()
    lm.load_state_dict(dict(golden_weights({name: value.shape for name, value in lm.state_dict().items()})))
    return SimpleNamespace(
        lm=lm,
        tokenizer=SimpleNamespace(encode=lambda text: list(ROLE)),
        spoken_roles=False,
        silence=torch.tensor([948, 243, 1178, 546, 1736, 1030, 1978, 2008]),
        sine=torch.tensor([430, 1268, 381, 1611, 1095, 1495, 56, 472]),
    )


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return {name: torch.from_numpy(array) for name, array in file.items()}


@pytest.mark.parametrize("kind", ["tokens", "packaged"])
def test_a_persona_says_what_it_says_in_nvidias_program_one_frame_earlier(model, golden, tmp_path, kind):
    if kind == "tokens":
        voice = Voice("golden", codes=golden["voice"])
    else:
        torch.save({"embeddings": golden["embeddings"], "cache": golden["cache"]}, tmp_path / "golden.pt")
        voice = load_voice_file(tmp_path / "golden.pt", model)
    greedy, luck = Chooser([Sampling(greedy=True)]), torch.zeros(1, 9)
    stepper = Stepper(model.lm, 1)
    stepper.begin(0, prefill(model.lm, build_prompt(Persona("a role", voice), model)), luck, greedy)
    said = torch.cat([stepper.step(frame[None], luck, greedy) for frame in golden["user"]])
    assert torch.equal(said[:-1], golden["said"][1:])  # its frame t comes with the user's frame t + 1
    assert golden["said"][0].tolist() == [3, *model.silence.tolist(), *model.sine.tolist()]  # the prompt's last frame
