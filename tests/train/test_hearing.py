"""The stream of the user's words in training: where they lie, what is learnt, and examples that are words alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from personaplex.errors import UserError
from personaplex.frames import FRAME_RATE, FRAME_SECONDS, ZERO, lag
from personaplex.lm.pointer import Pointer
from personaplex.train.__main__ import PRESETS, main
from personaplex.train.dialogues import Batch, DialoguePack, Drawing
from personaplex.train.export import read_lm
from personaplex.train.lm import LMTrainer, LMTraining, begin_with, corrupted, lm_losses, train_lm
from personaplex.train.own_ear import EARLY, LATE, own_ear, to_write
from personaplex.train.presets import WISHES, sizes
from personaplex.train.talks import AGENT, USER, Talk, TalkPack, read_talks, talks_of, telling
from tests.helpers import HEARD, tiny_lm, tiny_tokenizer

DRAWING = Drawing(length=96, voice_frames=12, lead=2, reading=0.0, text_pace=0.0)
EXACT = LMTraining(
    steps=6, batch=2, corrupt=0.0, forget=0.0, heard_corrupt=0.0, silent=1.0, bf16=False, warmup=2
)  # fmt: skip
PAD, EPAD = 3, 0


@pytest.fixture
def dialogues(codes, tokenizer, hearing):
    return DialoguePack(codes, tokenizer, hearing.layout, DRAWING)


@pytest.fixture
def talks(codes, tokenizer, hearing):
    return DialoguePack(codes, tokenizer, hearing.layout, replace(DRAWING, text_only=1.0, text_length=48))


def losses(model, batch, settings=EXACT):
    return lm_losses(model, batch, settings, torch.Generator().manual_seed(0))


def test_the_users_words_lie_after_their_end_and_never_in_the_prompt(dialogues, tokenizer, pack):
    batch = dialogues.batch(0, 1, 1)
    assert torch.equal(batch.frames[:, :-1], pack.batch(0, 1, 1).frames)  # the other streams are as ever
    body = batch.heard_loss[0].nonzero()[:, 0]
    heard, what = batch.frames[0, -1], tokenizer.encode("what")
    at = int(body[0]) + int(0.6 * FRAME_RATE) + 2  # heard_lag=2
    assert heard[at - 1 : at + len(what)].tolist() == [EPAD, *what]
    assert (heard[: body[0]] == PAD).all() and torch.equal(batch.heard_loss, batch.audio_loss)


def test_hearing_loss_is_that_of_the_forward_pass(dialogues, hearing):
    batch = dialogues.batch(0, 0, 2)
    terms = losses(hearing, batch)
    targets = batch.frames[:, -1]
    nll = F.cross_entropy(hearing(batch.frames).heard.flatten(0, 1), targets.flatten(), reduction="none").view(2, -1)
    weights = torch.where(targets == PAD, EXACT.heard_padding, 1.0) * batch.heard_loss
    torch.testing.assert_close(terms["heard"], (nll * weights).sum() / weights.sum())
    words = batch.heard_loss & (targets != PAD) & (targets != EPAD)
    torch.testing.assert_close(terms["heard_words"], nll[words].mean())
    rest = losses(hearing, batch, replace(EXACT, hearing=0.0))["loss"]
    torch.testing.assert_close(terms["loss"] - rest, EXACT.hearing * terms["heard"])
    more = losses(hearing, batch, replace(EXACT, writing=3.0))["loss"]
    torch.testing.assert_close(more - terms["loss"], 2 * terms["text"])


def test_words_are_misheard_on_the_input_alone(dialogues, hearing):
    columns = lag(dialogues.batch(0, 0, 8).frames, hearing.layout)
    settings = replace(EXACT, heard_corrupt=0.5)
    out = corrupted(columns, hearing, settings, torch.Generator().manual_seed(1))
    words = (columns[:, -1] != PAD) & (columns[:, -1] != EPAD) & (columns[:, -1] < hearing.layout.text_card)
    assert torch.equal(out[:, :-1], columns[:, :-1]) and torch.equal(out[:, -1][~words], columns[:, -1][~words])
    dropped = (out[:, -1][words] == PAD).float().mean()
    assert 0.1 < dropped < 0.4 and (out[:, -1] != columns[:, -1])[words & (out[:, -1] != PAD)].any()


def test_its_own_guesses_take_the_place_of_the_users_words_on_the_input(dialogues, hearing):
    batch = dialogues.batch(0, 0, 4)
    inputs = lag(batch.frames, hearing.layout)[:, :, :-1]

    def guessed(passes, share=1.0):
        return own_ear(hearing, inputs, batch.heard_loss, share, passes, torch.Generator().manual_seed(0))[0]

    once, learnt = guessed(1), batch.heard_loss[:, :-1]
    assert torch.equal(once[:, :-1], inputs[:, :-1])  # the other streams are as ever
    assert torch.equal(once[:, -1, 1:][learnt], hearing(batch.frames).heard.argmax(dim=-1)[:, :-1][learnt])
    assert torch.equal(once[:, -1, 1:][~learnt], inputs[:, -1, 1:][~learnt])
    assert torch.equal(guessed(1, share=0.0), inputs)
    # In the end nothing changes any more: what it hears is what it makes of all that it heard.
    free = guessed(inputs.shape[2])
    heard = hearing.heard_linear(hearing.temporal(hearing.embed(free))).argmax(dim=-1)[:, :-1]
    assert torch.equal(free[:, -1, 1:][learnt], heard[learnt])
    assert losses(hearing, batch, replace(EXACT, heard_own=1.0))["heard"] != losses(hearing, batch)["heard"]


def test_what_is_to_be_written_follows_what_was_written(hearing):
    """Capitals begin a word, small letters go on with it."""
    letters = {char: 10 + place for place, char in enumerate("ABCDabcd")} | {".": PAD}
    chars = {token: char for char, token in letters.items()}
    begins = torch.tensor([chars.get(token, "x").isupper() for token in range(hearing.layout.text_card)])

    def target(labels, written):
        rows = (torch.tensor([[letters[char] for char in row]]) for row in (labels, written))
        return "".join(chars[token] for token in to_write(*rows, begins, hearing.layout)[0].tolist())

    labels = "..A.Bb.C......"
    assert target(labels, labels) == labels
    assert target(labels, ".A..Bb.C......") == "....Bb.C......"  # early: not again
    assert target(labels, "..A..Bb..C....") == "..A.BBbCCC...."  # late: until it is there
    assert target(labels, "..A.B.b.C.....") == "..A.BbbCC....."  # begun: to be finished
    assert target(labels, "..A.B.........") == "..A.BbbCCC...."  # never finished: let go
    assert target(labels, "..D.Bb.C......") == labels  # wrong: one stands for the other
    assert target(labels, "..Dd...C......") == "..A.BBBC......"  # passed over: let go, with its end
    assert target(labels, "..A...C.......") == "..A.BBB......."  # the next one early: the same
    assert target("A............", "." * 13) == "A" * (LATE + 1) + "." * (12 - LATE)  # never: not for ever
    assert target("...A....", "A.......") == "...AAA.." and EARLY == LATE == 2  # too early: a word of its own


def test_the_deaf_learn_from_the_words_that_they_are_given(dialogues, hearing):
    batch, settings = dialogues.batch(0, 0, 2), replace(EXACT, deaf=1.0, heard_own=1.0)
    other = batch._replace(frames=batch.frames.clone())
    other.frames[:, hearing.layout.user] = 1
    one, same = losses(hearing, batch, settings), losses(hearing, other, settings)
    assert one["words"] == same["words"] and "heard_words" not in one and one["heard"] == 0
    assert losses(hearing, batch)["words"] != losses(hearing, other)["words"]
    other.frames[:, -1] = PAD
    assert losses(hearing, other, settings)["words"] != one["words"]


def test_an_example_of_words_alone_has_no_sound_and_learns_the_agents_words(talks, hearing, tokenizer):
    batch = talks.batch(0, 0, 3)
    assert len(batch.frames) == 0 and batch.texts.frames.shape == (6, 18, 48)  # two of them are as long as one dialogue
    frames, layout = batch.texts.frames, hearing.layout
    assert (frames[:, layout.agent] == ZERO).all() and (frames[:, layout.user] == ZERO).all()
    said = [tokenizer.decode([t for t in frames[0, stream].tolist() if t > PAD]) for stream in layout.texts]
    assert said == ["<system> You are a wise teacher. <system> hello answer", "what"]
    first = int(batch.texts.text_loss[0].nonzero()[0])
    assert (frames[0, 0, first:] > PAD).sum() == len([*tokenizer.encode("hello"), *tokenizer.encode("answer")])
    assert frames[0, 0, first - 6 : first].tolist() == [PAD] * 6  # the prompt that serving writes, without a voice
    real, calls = hearing.depth, []
    hearing.depth = lambda *arguments: calls.append(1) or real(*arguments)
    terms = losses(hearing, batch, LMTraining(corrupt=1.0, bf16=False))
    assert not calls and not terms.keys() & {"semantic", "acoustic", "heard_words"}
    assert terms["talk_words"] == terms["words"] and terms["heard"] == 0
    noisy = corrupted(lag(frames, layout), hearing, LMTraining(corrupt=1.0), torch.Generator().manual_seed(0))
    assert (noisy[:, 1 : 1 + 2 * layout.codebooks, 2:] == ZERO).all()  # after the initial tokens


def test_dialogues_and_words_alone_are_drawn_by_their_share(codes, tokenizer, hearing):
    pack = DialoguePack(codes, tokenizer, hearing.layout, replace(DRAWING, text_only=0.3, text_length=48))
    batch = pack.batch(0, 0, 40)
    silent = 40 - len(batch.frames)
    assert 5 < silent < 20 and len(batch.texts.frames) == 2 * silent
    alone = losses(hearing, pack.batch(0, 0, 40)._replace(texts=None))
    both = losses(hearing, batch)
    torch.testing.assert_close(both["semantic"], alone["semantic"])
    assert both["text"] != alone["text"] and "talk_words" not in alone


def test_the_two_learn_a_batch_by_heart(codes, tokenizer, hearing):
    pack = DialoguePack(codes, tokenizer, hearing.layout, replace(DRAWING, text_only=0.5, text_length=48))
    trainer = LMTrainer(hearing, pack, replace(EXACT, batch=4, steps=60, rate=3e-3))
    first, *_, last = [trainer.step(step) for step in range(40)]
    for name in ("heard_words", "talk_words"):
        assert last[name] < 0.5 * first[name]


def test_what_a_role_alone_tells_may_weigh_more(tokenizer, hearing):
    assert [sorted(own) for own in telling([[1, 2, 2], [1, 3], [1, 4], [1, 2]])] == [[], [3], [4], []]
    names = ["ann", "bob", "cat", "dan"]
    talks = [Talk(f"Your name is {name}.", (("agent", ("my", "name", "is", name)),)) for name in names]
    frames, learnt, copied, prompt = TalkPack(talks, tokenizer, hearing.layout, 96).examples(
        np.random.default_rng(0), 6
    )
    for row in range(6):
        written = frames[row, 0][learnt[row] & (frames[row, 0] > PAD)].tolist()
        told = frames[row, 0][copied[row]].tolist()
        [name] = [name for name in names if tokenizer.encode(name) == written[-len(tokenizer.encode(name)) :]]
        assert set(told) <= set(tokenizer.encode(name)) and told
        assert not learnt[row, : prompt[row]].any() and learnt[row, prompt[row]]
    nowhere = torch.zeros_like(learnt)
    texts = Batch(frames, learnt, nowhere, nowhere, nowhere, nowhere, copied=copied)
    batch = Batch(*[torch.zeros(0)] * 6, texts)
    plain, more = (losses(hearing, batch, replace(EXACT, copying=weight)) for weight in (1.0, 3.0))
    assert plain["copied"] == more["copied"]
    pieces, total = int(copied.sum()), plain["text"] * _weight(frames, learnt)
    torch.testing.assert_close(
        more["text"], (total + 2 * pieces * plain["copied"]) / (_weight(frames, learnt) + 2 * pieces)
    )


def test_talks_are_written_as_fast_as_can_be_or_as_slowly_as_people_speak(tokenizer, hearing):
    words = ("a", "hello") * 40
    pieces = np.array([len(tokenizer.encode(word)) for word in words])
    talk = Talk("You are Ann.", ((USER, words), (AGENT, words)))

    def waits(pace: float) -> dict[str, np.ndarray]:
        """Frames between one word and the next, of either speaker in twenty talks."""
        random = np.random.default_rng(0)
        pack = TalkPack([talk], tokenizer, hearing.layout, 96, pace=pace)
        spoken = [pack._spoken(talk, random) for _ in range(20)]
        for said, starts, end in spoken:
            moments = [moment for who in (USER, AGENT) for _, moment, _ in said[who]]
            assert moments == sorted(moments) and starts[1] * FRAME_SECONDS < said[AGENT][0][1]
            assert moments[-1] < end * FRAME_SECONDS
        moments = {who: np.array([[word[1] for word in said[who]] for said, _, _ in spoken]) for who in (USER, AGENT)}
        return {who: np.diff(begun) / FRAME_SECONDS - pieces[:-1] for who, begun in moments.items()}

    fast, slow = waits(0.0), waits(4.0)
    for who in (USER, AGENT):
        assert -0.01 < fast[who].min() and fast[who].max() < 2.01
        assert slow[who].mean() > 3 * fast[who].mean() and slow[who].mean(axis=1).std() > 1, "some speak faster"
    after_a, after_hello = slice(0, None, 2), slice(1, None, 2)
    assert slow[AGENT][:, after_hello].mean() > 2 * slow[AGENT][:, after_a].mean(), "no wait tells what comes"
    assert slow[USER][:, after_a].mean() > 2 * slow[USER][:, after_hello].mean(), "what was spoken is written"


def test_a_pointer_learns_to_find_what_the_role_alone_tells(codes, tokenizer):
    lm = tiny_lm(text_card=tokenizer.size, **HEARD, pointer=16)
    pack = DialoguePack(codes, tokenizer, lm.layout, replace(DRAWING, text_only=1.0, text_length=64))
    names = ["ann", "bob", "cat", "dan"]
    talks = [Talk(f"Your name is {name}.", (("agent", ("my", "name", "is", name)),)) for name in names]
    pack._scripts = TalkPack(talks, tokenizer, lm.layout, 64)
    trainer = LMTrainer(lm, pack, replace(EXACT, batch=4, steps=90, rate=3e-3))
    terms = [trainer.step(step) for step in range(80)]
    for name, share in {"pointing": 0.75, "copied": 0.4}.items():
        first, last = (sum(step[name] for step in some) for some in (terms[:10], terms[-10:]))
        assert last < share * first
    assert "pointing" not in losses(tiny_lm(text_card=tokenizer.size, **HEARD), pack.batch(0, 0, 4))


def test_a_pointer_learns_to_look_up_an_answer_and_to_repeat_what_was_asked(codes, tokenizer):
    lm = tiny_lm(text_card=tokenizer.size, **HEARD, pointer=16, echo=8, lookup=True)
    lm.pointer = Pointer(lm.config.dim, 16, lm.layout, lookup=True, echo=8)  # a new one
    pack = DialoguePack(codes, tokenizer, lm.layout, replace(DRAWING, text_only=1.0, text_length=64))
    names = ["ann", "bob", "cat", "dan"]
    turns = [(("user", ("am", "i", name)), ("agent", ("you", "are", name))) for name in names]
    talks = [Talk(f"Your name is {names[-at]}.", said) for at, said in enumerate(turns)]
    pack._scripts = TalkPack(talks, tokenizer, lm.layout, 64)
    trainer = LMTrainer(lm, pack, replace(EXACT, batch=4, steps=40, rate=6e-3))
    first, *_, last = [trainer.step(step) for step in range(30)]
    assert last["looking"] < 0.5 * first["looking"] and last["echoing"] < 0.5 * first["echoing"]


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"echo": 8, "pointer": 0}, "--echo needs a pointer"),
        ({"lookup": True, "pointer": 0}, "--lookup needs a pointer"),
        ({"echo": 8, "heard": False}, "--echo needs a stream of the user's words"),
        ({"echo": -1}, "--echo -1 is no"),
    ],
)
def test_what_a_pointer_finds_is_wished_for_with_a_pointer(wishes, says, tmp_path):
    none = dict.fromkeys(WISHES)
    with pytest.raises(UserError, match=says):
        sizes(tmp_path, "tiny", 300, none | wishes)
    config = sizes(tmp_path, "tiny", 300, none | {"echo": 8, "lookup": True})
    assert (config.echo, config.lookup, config.heard) == (8, True, True)
    assert not sizes(tmp_path, "tiny", 300, none).echo


def _weight(frames, learnt):
    return torch.where(frames[:, 0][learnt] == PAD, EXACT.padding, 1.0).sum()


# --- scripts


def test_scripts_are_read_and_mistakes_are_one_sentence(tmp_path, codes):
    known = json.loads((codes / "index.json").read_text())["dialogues"]
    assert {turns for turns in (talk.turns for talk in talks_of(known))} == {
        (("user", ("what",)), ("agent", ("hello", "answer")))
    }
    path = tmp_path / "scripts.jsonl"
    good = {"role": "R", "turns": [{"who": "user", "text": "what answer"}, {"who": "agent", "text": "hello"}]}
    path.write_text(json.dumps(good) + "\n")
    [talk] = read_talks(path, known)
    assert talk.turns == (("user", ("what", "answer")), ("agent", ("hello",)))
    for content, words in [
        ("", "no scripts"),
        ("{", "Line 1"),
        (json.dumps(good | {"turns": [{"who": "nobody", "text": "what"}]}), "Line 1"),
        (json.dumps(good | {"turns": [{"who": "user", "text": "What?"}]}), "writes words with [?] W,"),
    ]:
        path.write_text(content)
        with pytest.raises(UserError, match=words):
            read_talks(path, known)


def test_words_alone_need_a_stream_and_room_to_lie_on(codes, tokenizer, model, hearing):
    with pytest.raises(UserError, match="--heard"):
        DialoguePack(codes, tokenizer, model.layout, replace(DRAWING, text_only=0.5))
    with pytest.raises(UserError, match="--text-length more than these 20"):
        DialoguePack(codes, tokenizer, hearing.layout, replace(DRAWING, text_only=0.5, text_length=20))


# --- going on from a run that did not hear


def test_beginning_with_a_run_that_did_not_hear_changes_nothing_else(dialogues, model, hearing, capsys):
    begin_with(hearing, model.state_dict())
    assert "heard_emb.weight" in capsys.readouterr().out
    frames = dialogues.batch(0, 0, 2).frames
    with torch.no_grad():
        before, after = model(frames[:, :-1]), hearing(frames)
    assert torch.equal(before.text, after.text) and torch.equal(before.audio, after.audio)
    begin_with(model, hearing.state_dict())
    assert "left behind" in capsys.readouterr().out
    with pytest.raises(UserError, match="another shape"):
        begin_with(tiny_lm(dim=64), model.state_dict())


def test_a_hearing_run_resumes_and_is_read_back(tmp_path, codes, tokenizer, hearing):
    pack = DialoguePack(codes, tokenizer, hearing.layout, replace(DRAWING, text_only=0.3, text_length=48))
    settings = replace(EXACT, corrupt=0.2, forget=0.5, heard_corrupt=0.2)
    train_lm(pack, tmp_path / "whole", hearing.config, settings)
    train_lm(pack, tmp_path / "pieces", hearing.config, settings, minutes=0)
    assert train_lm(pack, tmp_path / "pieces", hearing.config, settings)
    for run in ("whole", "pieces"):
        (tmp_path / run / "config.json").write_text(json.dumps(hearing.config.to_dict()))
    whole, pieces = read_lm(tmp_path / "whole"), read_lm(tmp_path / "pieces")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, pieces.state_dict()[name]), name
    assert not torch.equal(whole.heard_emb.weight, hearing.heard_emb.weight)


def test_the_command_keeps_what_a_run_has_begun_with(tmp_path, codes, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", PRESETS["tiny"] | {"card": 32})

    def lm(*given):
        arguments = ["--codes", codes, "--tokenizer", tiny_tokenizer(), "--preset", "tiny", "--batch", 1, *given]
        main(["lm", *map(str, arguments)])

    def config(run):
        return json.loads((tmp_path / run / "config.json").read_text())

    small = ["--steps", "1", "--length", "64", "--voice-frames", "6"]
    lm("--run", tmp_path / "new", *small, "--heard-lag", "3")
    lm("--run", tmp_path / "old", *small, "--no-heard")
    assert config("new")["heard"] and config("new")["personaplex"]["heard_lag"] == 3
    lm("--run", tmp_path / "old", *small)  # resumed: it has no such stream
    assert "heard" not in config("old") and "heard_lag" not in config("old")["personaplex"]
    with pytest.raises(UserError, match="needs a stream of them"):
        lm("--run", tmp_path / "old", *small, "--deaf", "0.2")
    with pytest.raises(UserError, match="--dictation teaches"):
        lm("--run", tmp_path / "old", *small, "--dictation", "0.2")
    with pytest.raises(UserError, match="begun without --heard"):
        lm("--run", tmp_path / "old", *small, "--heard")
    voice = ("--start-from", tmp_path / "new", "--voiceprint", "4", "--sound-only")
    lm("--run", tmp_path / "voice", *small, *voice)
    assert config("voice")["voiceprint"] == 4 and "voiceprint" not in config("new")
    with pytest.raises(UserError, match="hold nothing of that"):
        lm("--run", tmp_path / "voice", *small, *voice, "--text-only", "0.2")
    with pytest.raises(UserError, match="is for --sound-only"):
        lm("--run", tmp_path / "new", *small, "--new-codes")
    assert config("new")["short_conv"] == 3 and config("new")["personaplex"]["silence"]
    lm("--run", tmp_path / "plain", *small, "--short-conv", "0", "--recall", "2")
    lm("--run", tmp_path / "plain", *small)  # resumed: it has none
    assert "short_conv" not in config("plain") and config("plain")["recall"] == 2
    with pytest.raises(UserError, match="begun with --short-conv 0"):
        lm("--run", tmp_path / "plain", *small, "--short-conv", "3")
    with pytest.raises(UserError, match="begun with --recall 2"):
        lm("--run", tmp_path / "plain", *small, "--recall", "0")
    with pytest.raises(UserError, match="--short-conv -1 is no reach"):
        lm("--run", tmp_path / "plain", *small, "--short-conv", "-1")
    lm("--run", tmp_path / "next", *small, "--start-from", tmp_path / "old")
    assert config("next")["heard"]
    with pytest.raises(UserError, match="--text-only"):
        lm("--run", tmp_path / "next", *small, "--scripts", tmp_path / "none.jsonl")
