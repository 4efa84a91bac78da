import torch

from personaplex.frames import ZERO
from personaplex.lm.model import prompt_columns
from tests.helpers import random_frames, tiny_lm

PADS = [3, 0]


def remembered(lm, text, prompt):
    """Hidden states of a text stream, `[1, T, dim]`, and what of its first columns can be copied."""
    columns = torch.full((1, lm.layout.streams, len(text)), ZERO)
    columns[0, lm.layout.text] = torch.tensor(text)
    hidden = lm.temporal(lm.embed(columns))
    return hidden, lm.role_memory(hidden, columns, prompt_columns(torch.tensor([prompt]), len(text)))


@torch.no_grad()
def test_the_word_pieces_of_the_prompt_can_be_copied_and_nothing_else():
    lm = tiny_lm(pointer=6)
    hidden, memory = remembered(lm, [9, 3, 0, 7, 8, 11, 12], prompt=4)
    assert memory.pieces.tolist() == [[9, ZERO, ZERO, 7, 8, ZERO, ZERO]]
    weights = lm.pointer.attend(hidden, memory)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, 7))
    assert (weights[..., memory.pieces[0] == ZERO] == 0).all()


@torch.no_grad()
def test_pointing_moves_words_alone_and_keeps_whether_one_is_due():
    lm = tiny_lm(pointer=6)
    hidden, memory = remembered(lm, [9, 7, 8, 11, 12], prompt=2)
    plain, mixed = lm.text_linear(hidden).float(), lm.text_logits(hidden, memory)
    assert torch.equal(mixed[..., PADS], plain[..., PADS])
    torch.testing.assert_close(mixed.logsumexp(dim=-1), plain.logsumexp(dim=-1))
    lm.pointer.gate.weight.zero_()
    lm.pointer.gate.bias.fill_(50.0)
    sure = lm.text_logits(hidden, memory)
    sure[..., PADS] = float("-inf")
    assert {*sure.argmax(dim=-1).flatten().tolist()} <= {9, 7, 8}
    lm.pointer.gate.bias.fill_(-50.0)
    torch.testing.assert_close(lm.text_logits(hidden, memory), plain)


@torch.no_grad()
def test_without_a_role_nothing_is_copied():
    lm = tiny_lm(pointer=6)
    hidden, memory = remembered(lm, [3, 3, 7, 8], prompt=1)
    torch.testing.assert_close(lm.text_logits(hidden, memory), lm.text_linear(hidden))
    frames = random_frames(lm, 1, 20)
    assert torch.equal(lm(frames).text, lm(frames, None).text)


def test_a_model_without_a_pointer_is_written_as_moshis_loader_knows_it():
    assert "pointer" not in tiny_lm().config.to_dict() and tiny_lm(pointer=6).config.to_dict()["pointer"] == 6
