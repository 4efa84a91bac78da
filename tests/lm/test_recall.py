import pytest
import torch

from personaplex.frames import UNGENERATED, ZERO
from personaplex.lm.recall import recall
from tests.helpers import HEARD, random_frames, tiny_lm

COUNT = 3


def some_columns(lm, length=40):
    """Text streams that are mostly padding, with initial and blank cells among it."""
    columns, layout = random_frames(lm, 2, length), lm.layout
    for stream in layout.texts:
        columns[:, stream][torch.rand(2, length) < 0.6] = layout.text_pad
        columns[:, stream][torch.rand(2, length) < 0.1] = layout.text_end_pad
    columns[:, :, 0] = layout.initial()
    columns[0, layout.text, 5], columns[1, layout.text, 6] = ZERO, UNGENERATED
    return columns


def test_it_is_the_newest_word_pieces_of_each_text_stream_and_no_padding():
    lm = tiny_lm(**HEARD, recall=COUNT)
    columns, layout = some_columns(lm), lm.layout
    found = recall(columns, layout, COUNT)
    no_pieces = {layout.text_pad, layout.text_end_pad, layout.text_card, ZERO, UNGENERATED}
    for row in range(2):
        for place, stream in enumerate(layout.texts):
            pieces = [ZERO] * COUNT
            for column in range(columns.shape[2]):
                token = int(columns[row, stream, column])
                pieces = pieces if token in no_pieces else [token, *pieces[:-1]]
                assert found[row, place * COUNT : (place + 1) * COUNT, column].tolist() == pieces


def test_column_by_column_it_is_the_same():
    lm = tiny_lm(**HEARD, recall=COUNT)
    columns = some_columns(lm)
    whole, before = recall(columns, lm.layout, COUNT), None
    for at, column in enumerate(columns.split(1, dim=2)):
        found = recall(column, lm.layout, COUNT, before)
        before = found[:, :, 0]
        assert torch.equal(before, whole[:, :, at])


def test_without_gains_a_model_is_as_it_was_and_with_them_it_reads_words_of_long_ago():
    plain, lm = tiny_lm(), tiny_lm(recall=COUNT)
    lm.load_state_dict(plain.state_dict(), strict=False)
    frames = random_frames(plain, 1, 30)
    frames[:, 0, 5:] = plain.layout.text_pad
    other = frames.clone()
    other[:, 0, 3] = 4 + (frames[:, 0, 3] - 3) % 20
    with torch.no_grad():
        lm.recall_gains.zero_()
        assert torch.equal(lm(frames).text, plain(frames).text)
        lm.recall_gains.fill_(1.0)
        near, far = (lm.embed(part)[0, 25] for part in (frames, other))
    assert not torch.allclose(near, far), "what was said twenty frames ago is read again"
    assert "recall" not in plain.config.to_dict() and lm.config.to_dict()["recall"] == COUNT


def test_what_was_heard_looks_like_the_same_words_in_the_role():
    plain, lm = tiny_lm(**HEARD, recall=COUNT), tiny_lm(**HEARD, recall=COUNT, shared_words=True)
    lm.load_state_dict(plain.state_dict(), strict=False)
    columns = some_columns(lm)
    with torch.no_grad():
        lm.heard_gains.zero_()
        assert torch.equal(lm.embed(columns), plain.embed(columns))
        lm.heard_gains[0] = 1.0
        more = lm.embed(columns) - plain.embed(columns)
        torch.testing.assert_close(more, lm.text_emb(columns[:, -1]), rtol=0, atol=1e-4)
        lm.heard_gains[0], lm.heard_gains[COUNT] = 0.0, 1.0
        more = lm.embed(columns) - plain.embed(columns)
        torch.testing.assert_close(more, lm.text_emb(lm.recall(columns)[:, -1]), rtol=0, atol=1e-4)
    assert "shared_words" not in plain.config.to_dict() and lm.config.to_dict()["shared_words"]
    assert tiny_lm(shared_words=True).heard_gains is None  # there is nothing to read


@pytest.mark.parametrize("name", ["recall", "short_conv", "pointer"])
def test_fewer_than_none_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is -1; it must be 0"):
        tiny_lm(**{name: -1})
