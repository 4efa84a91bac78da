"""The language model against PyPI `moshi` 0.2.13 with the same random weights."""

import os
from dataclasses import replace

import pytest
import torch

from personaplex.engine.stepper import Stepper, prefill
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.persona.prompt import prompt_of_frames

pytestmark = pytest.mark.oracle

SMALL = LMConfig(
    dim=64, num_layers=2, num_heads=4, context=32, card=48, text_card=100,
    depformer_dim=32, depformer_dim_feedforward=132, depformer_num_heads=2, depformer_num_layers=2,
)  # fmt: skip

SHAPES = {
    "moshi": SMALL,
    "personaplex": replace(SMALL, dep_q=16),
    "deep-narrow": replace(SMALL, dim=32, num_layers=5, num_heads=2, context=17, depformer_num_layers=4),
    "wide-ffn": replace(SMALL, dim=96, num_heads=6, hidden_scale=4.0, dep_q=16, depformer_dim_feedforward=128),
    "no-context-effect": replace(SMALL, context=250, max_period=100_000.0),
    "no-delay": replace(SMALL, delays=(0,) * 17),
    "delay-2": replace(SMALL, delays=(0, *(0, 2, 2, 2, 2, 2, 2, 2) * 2)),
    "delay-3-uneven": replace(SMALL, dep_q=16, delays=(0, 0, 1, 1, 2, 2, 3, 3, 3, 0, 1, 1, 1, 2, 2, 2, 3)),
    "schedule": replace(SMALL, depformer_weights_per_step_schedule=(0, 1, 2, 2, 3, 3, 3, 3)),
    "schedule-16": replace(SMALL, dep_q=16, depformer_weights_per_step_schedule=(*range(8), *range(8))),
    "four-codebooks": replace(SMALL, n_q=8, dep_q=4, delays=(0, *(0, 1, 1, 1) * 2)),
    "layer-norm": replace(SMALL, norm="layer_norm", layer_scale=0.3),
    "no-rope": replace(SMALL, positional_embedding="none"),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sizes this small only lose by threads, and much when other processes want the same cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def oracle_lm():
    os.environ["NO_TORCH_COMPILE"] = os.environ["NO_CUDA_GRAPH"] = "1"
    from moshi.models import lm

    return lm


def pair(oracle_lm, config: LMConfig, seed: int):
    """Our model and the oracle's, with the same weights, large enough for every part to matter."""
    torch.manual_seed(seed)
    ours = LanguageModel(config).eval()
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            if "norm" in name or "layer_scale" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif name.endswith("emb.weight") or ".emb." in name or name.startswith("emb."):
                parameter.copy_(torch.randn_like(parameter))
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in config.to_dict().items()}
    theirs = oracle_lm.LMModel(**settings, dtype=torch.float32).eval()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def frames_for(config: LMConfig, batch: int, length: int) -> torch.Tensor:
    text = torch.randint(config.text_card, (batch, 1, length))
    return torch.cat([text, torch.randint(config.card, (batch, config.n_q, length))], dim=1)


@pytest.mark.parametrize("name", SHAPES)
def test_teacher_forced_logits(oracle_lm, name):
    config = SHAPES[name]
    ours, theirs = pair(oracle_lm, config, seed=len(name))
    frames = frames_for(config, batch=2, length=40)
    frames[0, 0, 3:6] = frames[1, 5, 7] = -1  # tokens without an embedding
    with torch.no_grad():
        mine, expected = ours(frames), theirs(frames)
    assert torch.allclose(mine.text, expected.text_logits[:, 0], rtol=0, atol=1e-5)
    valid = expected.mask & torch.ones_like(expected.mask)
    assert (mine.valid | ~valid).all() and mine.valid.any()
    deviation = (mine.audio - expected.logits)[mine.valid.expand_as(valid)]
    assert deviation.isfinite().all() and deviation.abs().max() <= 1e-5


class Greedy:
    """The likeliest token; where the two best are within 1e-4, the oracle's."""

    def __init__(self, oracle: list[torch.Tensor], per_step: int):
        self.oracle, self.per_step = oracle, per_step
        self.frame, self.call, self.ties = 0, 0, 0

    def at_frame(self, frame: int):
        self.frame, self.call = frame, 0

    def text(self, logits, luck):
        return self._choose(logits)

    audio = text

    def _choose(self, logits):
        theirs = self.oracle[self.frame * self.per_step + self.call]
        self.call += 1
        best = logits.argmax(dim=-1)
        if not torch.equal(best, theirs):
            two = logits.topk(2, dim=-1).values
            tied = (two[:, 0] - two[:, 1]) < 1e-4
            self.ties += int((tied & (best != theirs)).sum())
            best = torch.where(tied, theirs, best)
        return best


GENERATE = {
    "past-250": (replace(SMALL, context=250), 400),
    "context-32": (SMALL, 400),
    "delay-2": (SHAPES["delay-2"], 120),
    "delay-3": (replace(SMALL, delays=(0, *(0, 1, 1, 2, 2, 2, 3, 3) * 2), context=20), 120),
    "no-delay": (SHAPES["no-delay"], 120),
    "schedule": (SHAPES["schedule"], 120),
    "four-codebooks": (SHAPES["four-codebooks"], 120),
}


@pytest.mark.parametrize("name", GENERATE)
def test_greedy_generation_token_for_token(oracle_lm, monkeypatch, name):
    config, steps = GENERATE[name]
    ours, theirs = pair(oracle_lm, config, seed=7)
    layout, batch = config.layout, 2
    user = torch.randint(config.card, (steps + 1, batch, layout.codebooks))

    chosen = []
    plain = oracle_lm.sample_token

    def record(*args):
        chosen.append(plain(*args))
        return chosen[-1]

    monkeypatch.setattr(oracle_lm, "sample_token", record)
    expected = []
    generator = oracle_lm.LMGen(theirs, use_sampling=False)
    with torch.no_grad(), generator.streaming(batch):
        for frame in user:  # its first step feeds the initial column and drops the user's frame
            out = generator.step(frame[:, :, None])
            expected.append(None if out is None else out[:, :, 0])

    follow = Greedy([tokens.view(batch) for tokens in chosen], per_step=1 + layout.codebooks)
    stepper = Stepper(ours, batch)
    luck = torch.zeros(batch, 1 + layout.codebooks)
    prefix = prefill(ours, prompt_of_frames(torch.zeros(layout.streams, 0, dtype=torch.long), layout))
    for row in range(batch):
        follow.at_frame(0)
        one = Greedy([tokens[row : row + 1] for tokens in follow.oracle], follow.per_step)
        stepper.begin(row, prefix, luck[:1], one)
    produced = []
    for index in range(steps):
        follow.at_frame(index + 1)
        produced.append(stepper.step(user[index + 1], luck, follow))
    # The oracle emits once the largest delay has passed; without delays it is a frame ahead of the user's frame.
    ahead = 1 if layout.max_delay == 0 else 0
    compared = 0
    for index in range(stepper.late, steps):
        reference = expected[index + 1 - ahead]
        assert torch.equal(produced[index][:, : 1 + layout.codebooks], reference), f"frame {index}"
        compared += 1
    assert compared >= steps - 2
    assert follow.ties <= steps // 10
    user_place = torch.stack(produced)[:, :, layout.user]
    assert torch.equal(user_place[stepper.late :], user[1 : steps + 1 - stepper.late])
