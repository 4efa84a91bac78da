import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from personaplex.audio import read_pcm16
from personaplex.errors import UserError
from personaplex.frames import FRAME_RATE, FRAME_SAMPLES
from personaplex.persona.persona import Persona, build_prompt
from personaplex.persona.voices import Voice
from personaplex.text import Tokenizer, align_words
from personaplex.train.dialogues import DialoguePack, Drawing, batches
from personaplex.train.encode import encode_corpus
from personaplex.train.packed import read_packed
from tests.helpers import tiny_lm
from tests.train.conftest import FRAMES, ROLE


def test_packed_codes_are_what_the_codec_gives(corpus, codec, pack):
    sound = read_pcm16(corpus / "audio/0.flac").astype(np.float32) / 32768
    expected = codec.encode(torch.from_numpy(sound.T.copy())[:, None])  # agent, user
    at = next(i for i in range(4) if np.array_equal(pack.frames(i)[1:9], expected[0].numpy()))
    np.testing.assert_array_equal(pack.frames(at)[9:], expected[1].numpy())


def test_example_begins_with_the_prompt_that_serving_builds(codes, pack, tokenizer, model):
    layout, frames = model.layout, pack.batch(0, 0, 1).frames[0]
    index = json.loads((codes / "index.json").read_text())
    voice = np.fromfile(codes / "voices.i16", dtype=np.int16).reshape(-1, 8).T
    steady = {name: torch.tensor(index[name]) for name in ("silence", "sine")}
    speaker = SimpleNamespace(lm=model, tokenizer=tokenizer, spoken_roles=pack.drawing.spoken_roles, **steady)
    first = frames[layout.agent, 0].numpy()
    starts = [s for s in range(1, voice.shape[1]) if np.array_equal(voice[:, s], first)]
    prompts = []
    for start in starts:
        for count in range(4, 13):  # what Drawing(voice_frames=12) may take
            piece = torch.from_numpy(voice[:, start - 1 : start - 1 + count].astype(np.int64))
            prompts.append(build_prompt(Persona(ROLE, Voice("x", piece)), speaker).columns)
    from personaplex.frames import lag

    columns = lag(frames[None], layout)[0]
    fits = [p for p in prompts if torch.equal(p[:, : p.shape[1] - 1], columns[:, : p.shape[1] - 1])]
    assert fits, "no prompt of the serving side equals the training example's"


def test_prompt_and_padding_are_not_learnt_and_words_lead_their_sound(pack, tokenizer, model):
    batch = pack.batch(0, 1, 1)
    learnt = batch.audio_loss[0].nonzero()[:, 0]
    assert len(learnt) == FRAMES
    assert torch.equal(batch.text_loss, batch.audio_loss)
    body = batch.frames[0, 0, learnt]
    hello = tokenizer.encode("hello")[0]
    assert (body == hello).nonzero()[0, 0] == int(1.0 * FRAME_RATE) - 2  # lead=2
    speech = batch.speech[0, learnt].nonzero()[:, 0]
    assert speech[0] == int(1.0 * FRAME_RATE) and speech[-1] == int(2.0 * FRAME_RATE) - 1


def test_batches_depend_on_seed_and_step_alone(codes, tokenizer, model):
    drawing = Drawing(length=96, voice_frames=12, reading=0.5)
    one, two = (DialoguePack(codes, tokenizer, model.layout, drawing) for _ in range(2))
    one.batch(0, 1, 2)  # what was drawn before does not matter
    assert torch.equal(one.batch(5, 9, 3).frames, two.batch(5, 9, 3).frames)
    assert not torch.equal(one.batch(5, 9, 3).frames, one.batch(5, 10, 3).frames)


def test_batches_drawn_ahead_are_the_same(codes, tokenizer, hearing):
    pack = DialoguePack(codes, tokenizer, hearing.layout, Drawing(length=256, voice_frames=12, text_only=0.5))
    drawn = {workers: list(batches(pack, 5, 4, range(3, 6), workers)) for workers in (0, 2)}
    assert len(drawn[0]) == 3 and any(batch.texts is not None for batch in drawn[0])
    for step, mine, ahead in zip(range(3, 6), *drawn.values(), strict=True):
        for batch in (mine, ahead):
            assert torch.equal(batch.frames, pack.batch(5, step, 4).frames)
        assert (mine.texts is None) == (ahead.texts is None)
        if mine.texts is not None:
            assert torch.equal(mine.texts.frames, ahead.texts.frames)
    with pytest.raises(UserError, match="--workers -1"):
        batches(pack, 5, 4, range(3, 6), -1)


def test_stumbling_examples_answer_late_and_do_not_learn_the_delay(codes, tokenizer, model):
    usual = {"length": 96, "voice_frames": 12, "reading": 0.0}
    pack, plain = (
        DialoguePack(codes, tokenizer, model.layout, Drawing(**usual, **stumbles))
        for stumbles in ({"stumble": 1.0, "late": 1.0}, {})
    )
    stumbling = pack.batch_of([0], 0)
    delay = int((stumbling.audio_loss & ~stumbling.text_loss).sum())
    assert delay >= 3 and stumbling.audio_loss.sum() == plain.batch_of([0], 0).audio_loss.sum() + delay
    assert not plain.drawing.stumble and pack.drawing.wrong, "without --stumble there is none of it"


def test_reading_examples_teach_sound_and_no_words(codes, tokenizer, model):
    pack = DialoguePack(codes, tokenizer, model.layout, Drawing(length=96, voice_frames=12, reading=1.0))
    batch = pack.batch(0, 0, 2)
    assert not batch.text_loss.any()
    share = batch.speech.sum() / batch.audio_loss.sum()
    assert share > 0.3  # of a dialogue it is a quarter
    hello = tokenizer.encode("hello")[0]
    spoken = (batch.frames[0, 0] == hello).nonzero()[:, 0]
    assert len(spoken) >= 2  # several dialogues are joined


def test_dictation_teaches_the_users_words_alone(codes, tokenizer, hearing):
    def batch(dictation):
        drawing = Drawing(length=96, voice_frames=12, reading=0.0, dictation=dictation)
        return DialoguePack(codes, tokenizer, hearing.layout, drawing).batch(0, 0, 4)

    dictation, talks, layout = batch(1.0), batch(0.0), hearing.layout
    assert not dictation.text_loss.any() and not dictation.speech.any()
    assert dictation.user_speech.sum() > 1.5 * talks.user_speech.sum()
    said = [(part.frames[:, -1][part.heard_loss] == tokenizer.encode("what")[0]).sum() for part in (dictation, talks)]
    assert said[0] > 2 * said[1] > 0  # several dialogues are joined
    assert (dictation.frames[:, layout.text][dictation.heard_loss] == layout.text_pad).all()
    with pytest.raises(UserError, match="together they are at most 1"):
        DialoguePack(codes, tokenizer, layout, Drawing(reading=0.5, dictation=0.6))


def test_users_whom_nobody_answers_are_dictation_always(codes, tokenizer, hearing):
    packed = read_packed(codes)
    alone = replace(packed, dialogues=[item | {"agent": []} for item in packed.dialogues])
    pack = DialoguePack(alone, tokenizer, hearing.layout, Drawing(length=96, voice_frames=12, reading=1.0))
    batch = pack.batch(0, 0, 4)
    assert not batch.text_loss.any() and not batch.speech.any() and batch.heard_loss.any()


def test_codes_of_another_codec_are_refused(codes, tokenizer):
    other = tiny_lm(card=64, text_card=tokenizer.size)
    with pytest.raises(UserError, match="32 entries, but the model has 8 of 64"):
        DialoguePack(codes, tokenizer, other.layout, Drawing())


def test_missing_corpus_is_one_sentence(tmp_path, codec):
    with pytest.raises(UserError, match="personaplex synth"):
        encode_corpus(tmp_path, codec, tmp_path / "out")


def test_alignment_is_that_of_the_text_room(pack, tokenizer, model):
    words = [("hello", 1.0, 1.4), ("answer", 1.6, 2.0)]
    expected = align_words(words, tokenizer, FRAMES, model.layout, lead=2)
    np.testing.assert_array_equal(pack.frames(0)[0], expected.numpy())
    assert isinstance(tokenizer, Tokenizer) and FRAME_SAMPLES == 1920


def test_several_corpora_of_one_codec_are_as_one(codes, tokenizer, model, tmp_path):
    shutil.copytree(codes, tmp_path / "more")
    both = read_packed(codes, tmp_path / "more")
    drawing = Drawing(length=96, voice_frames=12, reading=0.3)
    one, two = (DialoguePack(packed, tokenizer, model.layout, drawing) for packed in (codes, both))
    assert len(two.dialogues) == 2 * len(one.dialogues) and len(both.voices) == 2 * len(read_packed(codes).voices)
    last = len(one.dialogues) - 1
    np.testing.assert_array_equal(two.frames(last), one.frames(last))
    np.testing.assert_array_equal(two.frames(2 * last + 1), one.frames(last))
    two.batch(0, 0, 8)
    index = json.loads((codes / "index.json").read_text())
    (tmp_path / "more/index.json").write_text(json.dumps(index | {"sine": index["silence"][::-1] + [1]}))
    with pytest.raises(UserError, match="another codec"):
        read_packed(codes, tmp_path / "more")
