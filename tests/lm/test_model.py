import pytest
import torch

from personaplex.frames import ZERO, lag
from personaplex.lm.config import LMConfig
from tests.helpers import HEARD, random_frames, tiny_lm


def logits_by_stepping(lm, frames):
    """Teacher-forced text and audio logits of every column, one step at a time."""
    columns = lag(frames, lm.layout)
    state = lm.init_state(len(frames))
    text, audio, heard = [], [], []
    for index in range(frames.shape[2]):
        hidden = lm.temporal(lm.embed(columns[:, :, index : index + 1]), state)[:, 0]
        text.append(lm.text_linear(hidden))
        heard.append(lm.heard_linear(hidden) if lm.config.heard else hidden)
        steps = []

        def force(logits, k, steps=steps, target=columns[:, :, index + 1]):
            steps.append(logits)
            return target[:, 1 + k]

        lm.depth_steps(hidden, columns[:, 0, index + 1], lm.config.dep_q, force)
        audio.append(torch.stack(steps, dim=1))
    return torch.stack(text, dim=1), torch.stack(audio, dim=2), torch.stack(heard, dim=1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dep_q": 16, "context": 8},
        {"depformer_weights_per_step_schedule": (0, 1, 1, 2, 2, 3, 3, 3)},
        {"norm": "layer_norm", "layer_scale": 0.1, "depformer_multi_linear": False},
        HEARD,
    ],
)
@torch.no_grad()
def test_stepping_gives_the_logits_of_the_forward_pass(changes):
    lm = tiny_lm(**changes)
    frames = random_frames(lm, batch=2, length=20)
    whole = lm(frames)
    text, audio, heard = logits_by_stepping(lm, frames)
    torch.testing.assert_close(text, whole.text, rtol=0, atol=1e-5)
    if lm.config.heard:
        torch.testing.assert_close(heard, whole.heard, rtol=0, atol=1e-5)
    for k in range(lm.config.dep_q):
        delay = lm.layout.delays[1 + k]
        mine, theirs = audio[:, k, delay:], whole.audio[:, k, : 20 - delay]
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
        assert whole.valid[k].tolist() == [True] * (20 - delay) + [False] * delay


@torch.no_grad()
def test_no_prediction_sees_its_own_frame_or_a_later_one():
    lm = tiny_lm()
    frames = random_frames(lm, batch=1, length=12)
    changed = frames.clone()
    changed[:, :, 7:] = random_frames(lm, batch=1, length=5)
    before, after = lm(frames), lm(changed)
    assert torch.equal(before.text[:, :8], after.text[:, :8])
    assert not torch.equal(before.text[:, 8:], after.text[:, 8:])
    assert torch.equal(before.audio[:, :, :6], after.audio[:, :, :6])


@torch.no_grad()
def test_what_was_heard_is_read_back_and_without_its_embedding_nothing_else_changes():
    plain, hears = tiny_lm(), tiny_lm(**HEARD)
    hears.load_state_dict(plain.state_dict(), strict=False)
    frames = random_frames(hears, batch=2, length=9)
    changed = frames.clone()
    changed[:, -1, 4] = (changed[:, -1, 4] + 1) % hears.config.text_card
    before, after = hears(frames), hears(changed)
    assert torch.equal(before.text[:, :5], after.text[:, :5]) and torch.equal(before.heard[:, :5], after.heard[:, :5])
    assert not torch.equal(before.text[:, 5:], after.text[:, 5:])
    hears.heard_emb.weight.zero_()
    expected, got = plain(frames[:, :-1]), hears(frames)
    assert torch.equal(expected.text, got.text) and torch.equal(expected.audio, got.audio) and expected.heard is None


@torch.no_grad()
def test_a_zero_token_adds_nothing():
    lm = tiny_lm()
    frames = random_frames(lm, batch=1, length=3)
    frames[:, 4:] = ZERO
    embedded = lm.embed(frames)
    expected = lm.emb[0](frames[:, 1]) + lm.emb[1](frames[:, 2]) + lm.emb[2](frames[:, 3]) + lm.text_emb(frames[:, 0])
    torch.testing.assert_close(embedded, expected)


@torch.no_grad()
def test_a_row_that_takes_no_part_is_as_if_it_had_not_been_called():
    lm = tiny_lm(context=6)
    x = torch.randn(3, 20, lm.config.dim)
    alone = lm.init_state(3)
    expected = [lm.temporal(x[:, t : t + 1], alone) for t in range(10)]
    state, seen = lm.init_state(3), [0, 0, 0]
    generator = torch.Generator().manual_seed(5)
    while min(seen) < 10:
        active = (torch.rand(3, generator=generator) < 0.5) & (torch.tensor(seen) < 10)
        block = torch.stack([x[row, seen[row]] if active[row] else torch.randn(lm.config.dim) for row in range(3)])
        state.set_active(active)
        out = lm.temporal(block[:, None], state)
        for row in range(3):
            if active[row]:
                assert torch.equal(out[row], expected[seen[row]][row])
                seen[row] += 1


@torch.no_grad()
def test_a_reset_row_begins_anew_and_the_others_go_on():
    lm = tiny_lm(context=6)
    x = torch.randn(2, 12, lm.config.dim)
    state, whole = lm.init_state(2), lm.init_state(2)
    for t in range(8):
        lm.temporal(x[:, t : t + 1], state)
        lm.temporal(x[:, t : t + 1], whole)
    state.reset(torch.tensor([1]))
    fresh = lm.init_state(2)
    for t in range(8, 12):
        out = lm.temporal(x[:, t : t + 1], state)
        assert torch.equal(out[0], lm.temporal(x[:, t : t + 1], whole)[0])
        assert torch.equal(out[1], lm.temporal(x[:, t : t + 1], fresh)[1])


@torch.no_grad()
def test_a_copied_row_goes_on_like_its_source():
    lm = tiny_lm(context=8)
    x = torch.randn(1, 9, lm.config.dim)
    prompt = lm.init_state(1, capacity=5)
    lm.temporal(x[:, :5], prompt)
    state, alone = lm.init_state(3), lm.init_state(3)
    state.copy_row(2, prompt)
    for t in range(9):
        block = x[:, t : t + 1].expand(3, -1, -1)
        expected = lm.temporal(block, alone)[2]
        if t >= 5:
            torch.testing.assert_close(lm.temporal(block, state)[2], expected, rtol=0, atol=1e-5)


def test_configuration_reads_and_writes_kyutai_fields():
    config = tiny_lm(depformer_weights_per_step_schedule=(0, 1, 1, 1, 2, 2, 2, 2)).config
    assert LMConfig.from_dict(config.to_dict() | {"mimi_name": "x", "conditioners": {}}) == config
    assert "heard" not in config.to_dict()  # Kyutai's loader does not know it
    hears = config.with_heard()
    assert LMConfig.from_dict(hears.to_dict()) == hears == hears.with_heard() and hears.delays == (*config.delays, 0)
    assert LMConfig.from_dict({"dim": 4096, "depformer_dim": 1024, "hidden_scale": 4.125}) == LMConfig()


@pytest.mark.parametrize(
    "fields",
    [
        {"n_q": 15},
        {"dep_q": 5},
        {"delays": [0, 0]},
        {"delays": [1, *[0] * 16]},
        {"cross_attention": True},
        {"fuser": {"sum": ["x"]}},
        {"depformer_weights_per_step": False},
        {"depformer_weights_per_step_schedule": [0, 1]},
        {"positional_embedding": "sin"},
    ],
)
def test_a_configuration_that_is_not_built_is_refused(fields):
    with pytest.raises(ValueError):
        LMConfig.from_dict(fields)


def test_the_7b_has_the_released_number_of_parameters():
    from personaplex.lm.model import LanguageModel

    with torch.device("meta"):
        lm = LanguageModel(LMConfig(dep_q=16))
    assert len(lm.state_dict()) == 475
    assert sum(p.numel() for p in lm.parameters()) == pytest.approx(8.371e9, rel=1e-4)
