import torch

from personaplex.frames import ZERO
from personaplex.lm.model import LanguageModel, prompt_columns
from tests.helpers import HEARD, random_frames, tiny_lm

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
def test_a_sure_gate_over_weights_whose_sum_is_rounded_up_leaves_numbers():
    lm = tiny_lm(pointer=6)
    hidden, memory = remembered(lm, [9, 7, 8, 11, 12], prompt=2)
    lm.pointer.gate.bias.fill_(1e4)
    weights = lm.pointer.attend(hidden, memory)[0] * (1 + 1e-6)
    mixed = lm.pointer.mix(lm.text_linear(hidden)[0], hidden[0], weights, memory.pieces.expand(5, -1))
    assert mixed.isfinite().all()


@torch.no_grad()
def test_without_a_role_nothing_is_copied():
    lm = tiny_lm(pointer=6)
    hidden, memory = remembered(lm, [3, 3, 7, 8], prompt=1)
    torch.testing.assert_close(lm.text_logits(hidden, memory), lm.text_linear(hidden))
    frames = random_frames(lm, 1, 20)
    assert torch.equal(lm(frames).text, lm(frames, None).text)


@torch.no_grad()
def test_the_users_last_words_can_be_said_again_once_they_were_heard():
    lm = tiny_lm(**HEARD, pointer=6, echo=2)
    lm.pointer.query.weight.mul_(0.01)  # no weight too small for a float
    columns = torch.full((1, lm.layout.streams, 6), ZERO)
    columns[0, lm.layout.text] = torch.tensor([9, 3, 3, 3, 3, 3])
    columns[0, -1] = torch.tensor([3, 7, 3, 8, 0, 11])
    hidden = lm.temporal(lm.embed(columns))
    memory = lm.memory(hidden, columns, prompt_columns(torch.tensor([0]), 6))
    weights = lm.pointer.attend(hidden, memory)[0]
    found = [{int(piece) for piece, weight in zip(memory.pieces[0], row, strict=True) if weight > 0} for row in weights]
    assert found == [{9}, {9, 7}, {9, 7}, {9, 7, 8}, {9, 7, 8}, {9, 8, 11}]
    torch.testing.assert_close(lm.pointer.attend(hidden[:, -1:], memory.last())[0, 0], weights[-1])


@torch.no_grad()
def test_the_gate_opens_by_who_said_what_is_found():
    lm = tiny_lm(**HEARD, pointer=6, echo=2)
    pointer, logits, hidden = lm.pointer, torch.randn(1, lm.config.text_card), torch.zeros(1, lm.config.dim)
    pieces, by_role, by_user = torch.tensor([[9, 7]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    pointer.gate.bias.fill_(-50.0)
    pointer.evidence.weight.zero_()
    pointer.evidence.weight[0, 0] = 100.0  # how much of what is found the user said
    torch.testing.assert_close(pointer.mix(logits, hidden, by_role, pieces, heard=1), logits)
    opened = pointer.mix(logits, hidden, by_user, pieces, heard=1)
    opened[:, PADS] = float("-inf")
    assert opened.argmax() == 7


@torch.no_grad()
def test_what_is_looked_up_is_told_to_the_text_and_a_new_model_is_told_nothing():
    lm = tiny_lm(pointer=6, lookup=True)
    hidden, memory = remembered(lm, [9, 7, 8, 11, 12], prompt=2)
    told, found = lm.pointer.look_up(hidden, memory)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(1, 5))
    assert not torch.allclose(told, hidden)
    nothing = lm.pointer.look_up(hidden, memory._replace(pieces=torch.full_like(memory.pieces, ZERO)))[0]
    assert torch.equal(nothing, hidden)
    fresh = LanguageModel(lm.config)
    assert torch.equal(fresh.pointer.look_up(hidden, memory)[0], hidden)
    assert tiny_lm(pointer=6).pointer.look_up(hidden, memory) == (hidden, None)


def test_a_model_without_a_pointer_is_written_as_moshis_loader_knows_it():
    assert not {"pointer", "echo", "lookup"} & tiny_lm().config.to_dict().keys()
    assert "pointer" not in tiny_lm().config.to_dict() and tiny_lm(pointer=6).config.to_dict()["pointer"] == 6
