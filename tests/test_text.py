"""The tokenizer shows readers text and nothing else; spoken words land on the frames where they are heard."""

import pytest
import sentencepiece
import torch

from personaplex.errors import UserError
from personaplex.frames import Layout
from personaplex.text import Tokenizer, align_words

PAD, EPAD = 3, 0


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A small SentencePiece model with byte fallback and the released model's special ids."""
    folder = tmp_path_factory.mktemp("spm")
    sentences = [
        "hello how can I help you today",
        "the quick brown fox jumps over the lazy dog",
        "good morning to you",
    ] * 4
    (folder / "text.txt").write_text("\n".join(sentences))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "t"), vocab_size=320, byte_fallback=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=3, hard_vocab_limit=False, minloglevel=2, num_threads=1,
    )  # fmt: skip
    return Tokenizer(folder / "t.model", hidden=(EPAD, PAD))


@pytest.fixture
def layout(tokenizer):
    return Layout(codebooks=2, card=8, text_card=tokenizer.size, delays=(0, 0, 1, 0, 1))


def test_text_survives_encoding(tokenizer):
    for text in ("hello, how can I help?", "naïve café 日本 🙂", "a  b"):
        assert tokenizer.decode(tokenizer.encode(text)) == " ".join(text.split())


def test_pieces_spell_the_text_with_spaces(tokenizer):
    ids = tokenizer.encode("how can I help you?")
    assert "".join(tokenizer.piece(token) for token in ids) == " how can I help you?"


def test_special_ids_have_no_text(tokenizer):
    for token in (0, 1, 2, 3, -1, -2, tokenizer.size, tokenizer.size + 7):
        assert tokenizer.piece(token) == ""
    assert tokenizer.decode([EPAD, *tokenizer.encode("hello"), PAD, 2, tokenizer.size]) == "hello"


def test_control_characters_are_spaces(tokenizer):
    assert tokenizer.encode("hello\x00\x1byou\n") == tokenizer.encode("hello you")
    assert tokenizer.encode("") == tokenizer.encode(" \t\n") == []


def test_no_control_character_is_ever_shown(tokenizer):
    assert all(piece.isprintable() for piece in map(tokenizer.piece, range(tokenizer.size)))


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_bad_tokenizer_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "t.model"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="t.model"):
        Tokenizer(path)


def test_a_word_starts_on_the_frame_in_which_it_is_heard(tokenizer, layout):
    stream = align_words([("hello", 0.42, 0.9), ("you", 2.4, 2.6)], tokenizer, 40, layout)
    hello, you = tokenizer.encode("hello"), tokenizer.encode("you")
    assert stream.dtype == torch.long and stream.shape == (40,)
    assert stream[5 : 5 + len(hello)].tolist() == hello
    assert stream[30 : 30 + len(you)].tolist() == you
    assert stream[4] == EPAD and stream[29] == EPAD
    taken = {4, 29, *range(5, 5 + len(hello)), *range(30, 30 + len(you))}
    assert all(stream[frame] == PAD for frame in range(40) if frame not in taken)


def test_text_leads_its_sound(tokenizer, layout):
    words = [("hello", 1.0, 1.4)]
    ahead, level = (align_words(words, tokenizer, 30, layout, lead=lead) for lead in (2, 0))
    assert torch.equal(ahead[:-2], level[2:])
    early = align_words([("hello", 0.05, 0.4)], tokenizer, 30, layout, lead=5)
    assert early[0] == tokenizer.encode("hello")[0]


def test_words_of_a_listener_follow_their_ends(tokenizer, layout):
    words = [("jumps", 0.2, 0.5), ("over", 0.5, 0.55), ("dog", 1.6, 2.0)]
    stream = align_words(words, tokenizer, 40, layout, lead=-2, at="end").tolist()
    jumps, over, dog = (tokenizer.encode(word) for word, _, _ in words)
    first = int(0.5 * 12.5) + 2
    assert stream[: first - 1] == [PAD] * (first - 1) and stream[first - 1] == EPAD
    assert stream[first : first + len(jumps + over)] == jumps + over  # pushed on, in order
    assert stream[26:28] == [EPAD, dog[0]]
    with pytest.raises(ValueError, match="their end"):
        align_words(words[::-1], tokenizer, 40, layout, at="end")


def test_pieces_of_fast_words_are_pushed_on_in_order(tokenizer, layout):
    words = [("jumps", 0.0, 0.1), ("over", 0.1, 0.15), ("today", 0.16, 0.3), ("dog", 3.9, 4.0)]
    stream = align_words(words, tokenizer, 50, layout)
    crowd = [piece for word in words[:3] for piece in tokenizer.encode(word[0])]
    assert stream[: len(crowd)].tolist() == crowd
    dog = tokenizer.encode("dog")
    assert stream[48:].tolist() == (dog + [PAD])[:2]  # what lies past the end is dropped
    assert stream[47] == EPAD


def test_a_frame_boundary_is_not_lost_to_rounding(tokenizer, layout):
    for frame in range(60):
        stream = align_words([("you", frame * 0.08, frame * 0.08 + 0.2)], tokenizer, 64, layout)
        assert stream[frame] == tokenizer.encode("you")[0]


def test_words_out_of_order_are_refused(tokenizer, layout):
    with pytest.raises(ValueError, match="ordered"):
        align_words([("you", 1.0, 1.2), ("hello", 0.5, 0.8)], tokenizer, 20, layout)
