import torch

from personaplex.lm.model import LanguageModel, prompt_columns
from tests.helpers import random_frames, tiny_lm


def told(lm, frames, prompt):
    """What the depth transformer is told at every column, `[1, T, sets * depformer_dim]`."""
    hidden = lm.temporal(lm.embed(frames))
    return hidden, lm.voice(hidden, lm.sample(hidden, frames, prompt_columns(torch.tensor([prompt]), frames.shape[2])))


@torch.no_grad()
def test_the_sounds_of_the_prompts_beginning_are_told_and_no_others():
    lm = tiny_lm(voiceprint=4)
    frames = random_frames(lm, 1, 12)
    hidden, first = told(lm, frames, prompt=6)
    assert first.abs().sum() > 0
    agent = lm.layout.agent

    def sounds_changed(column):
        other = frames.clone()
        other[:, agent, column] = (frames[:, agent, column] + 1) % 7
        everywhere = prompt_columns(torch.tensor([6]), 12)
        return lm.voice(hidden, lm.sample(hidden, other, everywhere))

    assert not torch.allclose(sounds_changed(4), first) and not torch.allclose(sounds_changed(1), first)
    assert torch.equal(sounds_changed(0), first) and torch.equal(sounds_changed(5), first)  # out of reach
    shorter = told(lm, frames, prompt=2)[1]
    assert not torch.allclose(shorter, first), "columns behind the prompt are no sample"


@torch.no_grad()
def test_a_new_voiceprint_tells_nothing_and_so_does_one_without_a_sample():
    lm = tiny_lm(voiceprint=4)
    frames = random_frames(lm, 1, 12)
    fresh = LanguageModel(lm.config)
    assert (told(fresh, frames, prompt=6)[1] == 0).all()
    hidden = lm.temporal(lm.embed(frames))
    assert (lm.voice(hidden, lm.voiceprint.empty(1)) == 0).all()
    assert tiny_lm().voice(hidden, None) is None


def test_a_model_without_a_voiceprint_is_written_as_moshis_loader_knows_it():
    assert "voiceprint" not in tiny_lm().config.to_dict()
    assert tiny_lm(voiceprint=4).config.to_dict()["voiceprint"] == 4
