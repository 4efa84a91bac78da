import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from personaplex.codec.nano import NanoCodec
from personaplex.errors import UserError
from personaplex.train.codec import CodecTrainer, CodecTraining, train_codec
from personaplex.train.dialogues import Batch, DialoguePack, Drawing
from personaplex.train.lm import LMTrainer, LMTraining, corrupted, future_activity, lm_losses, train_lm
from personaplex.train.run import cosine_rate, load_checkpoint
from personaplex.train.sound import UNLABELLED, SoundPack, pack_sound
from tests.helpers import HEARD, TINY_CODEC, tiny_lm

EXACT = LMTraining(steps=6, batch=2, corrupt=0.0, forget=0.0, silent=1.0, timbre=1.0, bf16=False, warmup=2)


@pytest.fixture(scope="module")
def sound(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    pack_sound(corpus, folder)
    return folder


def test_training_loss_is_that_of_the_models_own_forward_pass(pack, model):
    batch = pack.batch(0, 0, 2)
    terms = lm_losses(model, batch, EXACT, torch.Generator().manual_seed(0))
    logits = model(batch.frames)
    text_nll = F.cross_entropy(logits.text.flatten(0, 1), batch.frames[:, 0].flatten(), reduction="none").view(2, -1)
    weights = torch.where(batch.frames[:, 0] == 3, EXACT.padding, 1.0) * batch.text_loss
    torch.testing.assert_close(terms["text"], (text_nll * weights).sum() / weights.sum())
    semantic = F.cross_entropy(
        logits.audio[:, 0].flatten(0, 1), batch.frames[:, 1].flatten(), reduction="none"
    )[batch.audio_loss.flatten()]  # fmt: skip
    torch.testing.assert_close(terms["semantic"], semantic.mean())


def test_training_points_echoes_and_looks_up_as_the_forward_pass_does(codes, tokenizer):
    model = tiny_lm(text_card=tokenizer.size, **HEARD, pointer=6, echo=5, lookup=True, voiceprint=5).train()
    pack = DialoguePack(codes, tokenizer, model.layout, Drawing(length=96, voice_frames=12, lead=2))
    batch = pack.batch(0, 0, 2)
    exact = replace(EXACT, heard_corrupt=0.0)
    terms = lm_losses(model, batch, exact, torch.Generator().manual_seed(0))
    logits = model(batch.frames, batch.prompt)
    nll = F.cross_entropy(logits.text.flatten(0, 1), batch.frames[:, 0].flatten(), reduction="none").view(2, -1)
    weights = torch.where(batch.frames[:, 0] == 3, EXACT.padding, 1.0) * batch.text_loss
    torch.testing.assert_close(terms["text"], (nll * weights).sum() / weights.sum())


def test_prompt_takes_no_part_in_the_loss(pack, model):
    batch = pack.batch(0, 0, 2)
    first = int(batch.audio_loss[0].nonzero()[0])
    columns_seen = []
    real = model.depth
    model.depth = lambda hidden, targets, *others: columns_seen.append(len(targets)) or real(hidden, targets, *others)
    lm_losses(model, batch, EXACT, torch.Generator().manual_seed(0))
    assert columns_seen == [int(batch.audio_loss.sum())] and first > 0


def test_what_is_foreseen_is_the_share_of_speech_in_each_stretch():
    speech, user = torch.zeros(1, 30, dtype=torch.bool), torch.zeros(1, 30, dtype=torch.bool)
    speech[0, 10:12], user[0, 4:] = True, True
    meant = torch.ones(1, 30, dtype=torch.bool)
    batch = Batch(torch.zeros(1, 17, 30), meant, meant, speech, meant, user)
    future = future_activity(batch)[0]
    # At frame 5, the stretches are frames 5-6, 7-11, 12-19 and 20-29: the agent speaks in 2 of the second's 5.
    assert future[5].tolist() == pytest.approx([0, 2 / 5, 0, 0, 1, 1, 1, 1])
    # At frame 3, the first is 3-4, and after frame 29 nobody speaks: of 18-27 the user speaks in all.
    assert future[3].tolist() == pytest.approx([0, 0, 2 / 8, 0, 1 / 2, 1, 1, 1])
    assert future[25].tolist() == pytest.approx([0, 0, 0, 0, 1, 3 / 5, 0, 0])
    meant[0, 10:12] = False  # the agent speaks by mistake: who could know?
    assert future_activity(batch)[0, :, :4].sum() == 0


def test_what_is_exported_is_the_moving_average(pack, model):
    trainer = LMTrainer(copy.deepcopy(model), pack, replace(EXACT, ema=0.5))
    began = trainer.average["text_linear.weight"].clone()
    trainer.step(3)  # of the first steps, the average keeps (1 + step) / (10 + step) at most: 4 / 13
    moved = trainer.model.text_linear.weight.detach()
    torch.testing.assert_close(trainer.state()["average"]["text_linear.weight"], began * 4 / 13 + moved * 9 / 13)


def test_corruption_spares_the_text_and_the_initial_column(pack, model):
    from personaplex.frames import lag

    columns = lag(pack.batch(0, 0, 2).frames, model.layout)
    settings = replace(EXACT, corrupt=0.5, forget=1.0)
    out = corrupted(columns, model, settings, torch.Generator().manual_seed(1))
    assert torch.equal(out[:, 0], columns[:, 0]) and torch.equal(out[:, :, 0], columns[:, :, 0])
    changed = (out[:, model.layout.user] != columns[:, model.layout.user]).float().mean()
    assert 0.3 < changed < 0.6
    assert (out[:, model.layout.agent][:, 1:, 1:] == -1).all()
    prompt = torch.tensor([5, 9])
    out = corrupted(columns, model, replace(EXACT, forget=1.0), torch.Generator().manual_seed(1), prompt)
    for row, frames in enumerate(prompt.tolist()):  # the voice sample is not forgotten
        assert torch.equal(out[row, :, : frames + 1], columns[row, :, : frames + 1])
        assert (out[row, model.layout.agent][1:, frames + 1 :] == -1).all()
    user = model.layout.user
    out = corrupted(columns, model, replace(EXACT, blur=1.0), torch.Generator().manual_seed(1))
    hidden = (out[:, user, 1:] == -1) & (columns[:, user, 1:] != -1)
    assert hidden[:, -1].any() and not hidden[:, 0].any(), "finer codebooks of the user's are hidden, never the first"
    assert torch.equal(out[:, user][:, :, 1:][~hidden], columns[:, user][:, :, 1:][~hidden])


@pytest.mark.parametrize("new_codes", [False, True])
def test_sound_alone_is_learnt_and_what_is_said_stays(pack, model, new_codes):
    trainer = LMTrainer(copy.deepcopy(model), pack, replace(EXACT, sound_only=True, new_codes=new_codes))
    before = copy.deepcopy(model.state_dict())
    terms = trainer.step(3)
    moved = {name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])}
    codes = {name for name in moved if name.startswith("emb.")}
    assert bool(codes) == new_codes
    assert moved and all(name.startswith(("depformer", "linears")) for name in moved - codes)
    assert any("self_attn" in name for name in moved) and "depformer_in.0.weight" in moved
    plain = LMTrainer(copy.deepcopy(model), pack, EXACT).step(3)
    assert terms["semantic"] == plain["semantic"] and terms["acoustic"] == plain["acoustic"]


@pytest.mark.parametrize("kind", ["lm", "muon", "codec"])
def test_killed_and_resumed_run_equals_an_uninterrupted_one(kind, tmp_path, pack, sound, tokenizer):
    def train(folder, minutes=None, steps=6):
        if kind != "codec":
            config = tiny_lm(text_card=tokenizer.size).config
            train_lm(pack, folder, config, replace(EXACT, corrupt=0.2, forget=0.5, muon=kind == "muon"), minutes)
        else:
            settings = CodecTraining(steps=6, batch=2, frames=4, bf16=False, warmup=2)
            train_codec(sound, folder, replace(TINY_CODEC, codebooks=8), settings, minutes)
        return load_checkpoint(folder)

    whole = train(tmp_path / "whole")
    pieces = train(tmp_path / "pieces", minutes=0.0)  # not one step: the budget is spent at once
    assert pieces["step"] == 0
    _kill_after(3, kind, lambda: train(tmp_path / "pieces"))
    resumed = train(tmp_path / "pieces")
    assert resumed["step"] == whole["step"] == 6
    for name in ("codec",) if kind == "codec" else ("model", "average", "foresight"):
        for key, value in whole[name].items():
            assert torch.equal(value, resumed[name][key]), key


@pytest.mark.parametrize("begun", [False, True])
def test_a_run_goes_on_with_the_optimizers_that_it_was_begun_with(begun, tmp_path, pack, tokenizer):
    config = tiny_lm(text_card=tokenizer.size).config
    train_lm(pack, tmp_path, config, replace(EXACT, muon=begun), minutes=0.0)
    with pytest.raises(UserError, match="begin a new one from it: --start-from"):
        train_lm(pack, tmp_path, config, replace(EXACT, muon=not begun))


def _kill_after(count, kind, run):
    trainer = CodecTrainer if kind == "codec" else LMTrainer
    real, left = trainer.step, [count]

    def step(self, number, *batch):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(self, number, *batch)

    trainer.step = step
    try:
        with pytest.raises(KeyboardInterrupt):
            run()
    finally:
        trainer.step = real


def test_checkpointed_activations_give_the_same_gradients(pack, model):
    def gradients(checkpointing):
        trainer = LMTrainer(model, pack, replace(EXACT, gradient_checkpointing=checkpointing))
        model.zero_grad()
        lm_losses(model, pack.batch(0, 0, 2), trainer.settings, torch.Generator().manual_seed(0))["loss"].backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    for plain, recomputed in zip(gradients(False), gradients(True), strict=True):
        torch.testing.assert_close(plain, recomputed, rtol=1e-5, atol=1e-7)


def test_the_language_model_learns_a_batch_by_heart(pack, model):
    trainer = LMTrainer(model, pack, replace(EXACT, steps=60, rate=3e-3))
    losses = [trainer.step(step)["text"] for step in range(40)]
    assert losses[-1] < 0.5 * losses[0]


def test_a_step_whose_gradient_is_no_number_is_left_out_and_many_end_the_run(pack, model):
    trainer = LMTrainer(model, pack, EXACT)
    trainer.step(0)
    weight = model.out_norm.alpha
    whole = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    before = {name: tensor.clone() for name, tensor in trainer.average.items()}
    for step in range(1, 5):
        assert trainer.step(step)["skipped"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.average.items())
    with pytest.raises(UserError, match="--rate"):
        trainer.step(5)
    with torch.no_grad():
        weight.copy_(whole)
    assert "skipped" not in trainer.step(6)


def test_packed_sound_keeps_levels_and_labels(corpus, sound):
    pack = SoundPack(sound)
    assert pack.phones == ["sil", "hh", "ow"]
    pcm, labels, _ = pack.batch(0, 0, 8, 10)
    assert pcm.shape == (8, 10 * 1920) and labels.shape == (8, 20)
    assert 0.02 < float(pcm.std()) < 0.12
    known = labels[labels != UNLABELLED]
    assert set(known.tolist()) <= {0, 1, 2}


def test_the_codec_learns_and_its_codebooks_move(sound):
    torch.manual_seed(0)
    codec = NanoCodec(replace(TINY_CODEC, codebooks=8))
    trainer = CodecTrainer(
        codec, SoundPack(sound), CodecTraining(steps=30, batch=4, frames=6, rate=3e-3, bf16=False, warmup=3)
    )
    before = codec.quantizer.rvq_first.codebooks[0].entries.clone()
    losses = [trainer.step(step)["mel"] for step in range(25)]
    assert losses[-1] < 0.8 * losses[0]
    assert not torch.equal(before, codec.quantizer.rvq_first.codebooks[0].entries)


def test_learning_rate_warms_up_holds_and_decays():
    rates = [cosine_rate(step, 100, 1.0, warmup=10, hold=0.5) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[49] == 1.0  # warm-up, then the hold
    assert rates[75] == pytest.approx(0.02 + 0.98 * 0.5) and rates[99] < 0.03  # half way down the cosine
