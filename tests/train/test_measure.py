"""Figures on held-out dialogues: turn decisions by hand, all else against the model's own forward pass."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from personaplex.errors import UserError
from personaplex.frames import FRAME_RATE, ZERO
from personaplex.train.__main__ import main
from personaplex.train.corruption import is_padding
from personaplex.train.dialogues import DialoguePack, Drawing
from personaplex.train.export import read_lm
from personaplex.train.losses import lm_losses
from personaplex.train.measure import (
    DECISION_FRAMES,
    OWN_PASSES,
    TURN_FRAMES,
    _Meter,
    begins_within,
    decisions,
    measure_run,
    table,
)
from personaplex.train.settings import LMTraining
from personaplex.train.talks import Talk, TalkPack
from tests.helpers import tiny_tokenizer

HELD_OUT = Drawing(voice_frames=6, lead=2, reading=0.0, middle=0.0)  # as `lm_run` was trained


@pytest.fixture
def run(lm_run):
    return lm_run


def test_turn_decisions_of_a_dialogue_by_hand():
    """The user speaks, hesitates, goes on, is answered; speaks into the answer; is not answered the second time."""
    writes, user = torch.zeros(100, dtype=torch.bool), torch.zeros(100, dtype=torch.bool)
    user[2:6] = user[16:20] = True  # one turn with a pause of 10 frames
    writes[22] = writes[23] = writes[30] = True  # the answer, which has a short pause of its own
    user[28] = True  # a murmur while the agent speaks
    user[44:50] = user[60:62] = True
    found = decisions(writes, user)
    assert found.starts == [22]
    first, second = range(2, 22 - DECISION_FRAMES), range(44, 62)
    assert found.waits.nonzero()[:, 0].tolist() == [*first, *second]
    # A greeting comes after nobody's turn; what follows at its heels is waited for once the agent could begin another.
    writes, user = torch.zeros(40, dtype=torch.bool), torch.zeros(40, dtype=torch.bool)
    writes[3] = writes[35] = True
    user[5:28] = True
    found = decisions(writes, user)
    assert found.starts == [35]
    assert found.waits.nonzero()[:, 0].tolist() == [*range(3 + TURN_FRAMES + 1, 28)]
    starts, waits = decisions(writes, torch.zeros(40, dtype=torch.bool))
    assert starts == [] and not waits.any()


def test_to_begin_in_time_is_to_begin_in_any_frame_of_the_window():
    begins = torch.zeros(40)
    begins[[9, 10, 20, 21]] = torch.tensor([1.0, 0.5, 0.5, 1.0])  # the window of frame 15 is 10 to 20
    assert begins_within(begins, 15) == pytest.approx(0.75)
    assert begins_within(begins, 4) == pytest.approx(1.0)


def test_losses_are_those_of_training_with_nothing_corrupted(run, codes, tokenizer):
    result = measure_run(run, codes, tokenizer, batch=3)
    assert (result["step"], result["dialogues"], result["weights"]) == (3, 4, "moving average")
    model = read_lm(run)
    pack = DialoguePack(codes, tokenizer, model.layout, HELD_OUT)
    settings = LMTraining(
        corrupt=0, forget=0, heard_corrupt=0, silent=0, timbre=1, padding=1, heard_padding=1, bf16=False
    )  # fmt: skip
    with torch.no_grad():
        terms = lm_losses(model, pack.batch_of(range(4), 0), settings, torch.Generator())
    for name in ("text", "words", "heard", "heard_words", "semantic", "acoustic"):
        assert result["figures"][name]["value"] == pytest.approx(float(terms[name]), rel=1e-4), name
    assert result["figures"]["words"]["of"] == sum(len(tokenizer.encode(word)) for word in ("hello", "answer")) * 4
    assert "foresight" in result["figures"]
    assert measure_run(run, codes, tokenizer, batch=1)["figures"]["answers"] == pytest.approx(
        result["figures"]["answers"], rel=1e-5
    )  # however many at once


def test_what_it_hears_where_it_reads_its_own_guesses(run, codes, tokenizer):
    model = read_lm(run)
    batch = DialoguePack(codes, tokenizer, model.layout, HELD_OUT).batch_of(range(4), 0)
    frames, learnt = batch.frames.clone(), batch.heard_loss
    with torch.no_grad():
        for _ in range(OWN_PASSES):
            frames[:, -1] = torch.where(learnt, model(frames).heard.argmax(dim=-1), frames[:, -1])
        logits = model(frames).heard
    logits[..., [model.layout.text_pad, model.layout.text_end_pad]] = float("-inf")
    words = learnt & ~is_padding(batch.frames[:, -1], model.layout)
    expected = (logits.argmax(dim=-1) == batch.frames[:, -1])[words].float().mean()
    figure = measure_run(run, codes, tokenizer)["figures"]["own_heard_words_right"]
    assert figure == {"value": pytest.approx(float(expected)), "of": int(words.sum())}


def test_decisions_are_asked_of_a_model_that_has_not_begun(run, codes, tokenizer):
    figures = measure_run(run, codes, tokenizer)["figures"]
    model, layout = read_lm(run), read_lm(run).layout
    pack = DialoguePack(codes, tokenizer, layout, HELD_OUT)
    start, answers, false = int(1.0 * FRAME_RATE) - 2 - 1, [], []  # the lead, and the sign before a word
    for index in range(4):
        batch = pack.batch_of([index], 0)
        first = int(batch.text_loss[0].nonzero()[0])
        frames = batch.frames.clone()
        frames[0, layout.text, first + start :] = layout.text_pad
        frames[0, layout.agent, first + start :] = pack.silence[:, None]
        pads = model(frames).text.softmax(dim=-1)[0, first:, layout.text_pad]
        answers.append(1 - pads[start - DECISION_FRAMES : start + DECISION_FRAMES + 1].prod())
        false += (1 - pads[int(0.2 * FRAME_RATE) : start - DECISION_FRAMES]).tolist()
    assert figures["answers"] == {"value": pytest.approx(float(torch.stack(answers).mean()), rel=1e-5), "of": 4}
    assert figures["false_starts"] == {"value": pytest.approx(FRAME_RATE * sum(false) / len(false), rel=1e-5), "of": 8}


def test_an_answer_in_writing_is_what_the_model_would_go_on_with(run, codes, tokenizer):
    model = read_lm(run).eval()
    turns = (("user", ("what",)), ("agent", ("hello",)), ("user", ("what",)), ("agent", ("answer", "hello")))
    talk = Talk("You are Ann.", turns, ((), (), (), ("answer hello",)))
    [question] = TalkPack([talk], tokenizer, model.layout, 96).questions(np.random.default_rng(0), 5)
    body = question.frames[:, question.prompt :]
    written = [tokenizer.decode([t for t in body[stream].tolist() if t > 3]) for stream in model.layout.texts]
    assert written == ["hello", "what what"] and question.facts == ("answer hello",)
    meter = _Meter(model, None, torch.zeros(model.layout.codebooks, dtype=torch.long), "cpu")
    with torch.inference_mode():
        said, frames, expected = meter._answer(question), question.frames.clone(), []
        frames[0, -1] = model.layout.text_end_pad  # words come after it alone
        pads = [model.layout.text_pad, model.layout.text_end_pad]
        for _ in range(6):
            following = torch.full_like(frames[:, :1], ZERO)
            following[list(model.layout.texts)] = model.layout.text_pad
            frames = torch.cat([frames, following], dim=1)
            logits = model(frames[None], torch.tensor([question.prompt])).text[0, -1]
            if not expected:
                logits[pads] = float("-inf")
            frames[0, -1] = token = int(logits.argmax())
            expected += [] if token in pads else [token]
        assert said[: len(expected)] == expected
    assert tokenizer.decode(said).strip()
    meter.question(question._replace(facts=(tokenizer.decode(said),)), tokenizer)
    meter.question(question._replace(facts=("nothing of the kind",)), tokenizer)
    assert meter.figures()["talk_facts"] == {"value": 0.5, "of": 2}


def test_the_command_prints_a_table_and_writes_json(run, codes, tmp_path, capsys):
    scripts, written = tmp_path / "scripts.jsonl", tmp_path / "figures.json"
    turns = [{"who": "user", "text": "what"}, {"who": "agent", "text": "hello answer", "fact": "answer"}]
    scripts.write_text(json.dumps({"role": "R", "turns": 3 * turns}) + "\n")
    options = ["--codes", codes, "--tokenizer", tiny_tokenizer(), "--scripts", scripts, "--json", written]
    options += ["--batches", 1, "--batch", 2, "--questions", 3, "--raw"]
    main(["measure", "--run", str(run), *map(str, options)])
    result = json.loads(written.read_text())
    assert result["dialogues"] == 2 and result["figures"]["talk_words"]["value"] > 0
    assert result["figures"]["talk_facts"]["of"] == 3
    assert result["weights"] == "as trained"
    assert capsys.readouterr().out.strip() == table(result)


def test_what_cannot_be_measured_is_one_sentence(run, codes, tokenizer, tmp_path):
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    with pytest.raises(UserError, match="holds no checkpoint"):
        measure_run(tmp_path, codes, tokenizer)
    checkpoint = torch.load(run / "checkpoint.pt", weights_only=True)
    del checkpoint["average"]
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="before training kept a moving average.*--raw.*--start-from"):
        measure_run(tmp_path, codes, tokenizer)
    assert measure_run(tmp_path, codes, tokenizer, raw=True)["figures"]
    with pytest.raises(UserError, match="holds no packed codes"):
        measure_run(run, tmp_path, tokenizer)
    with pytest.raises(UserError, match="at least one"):
        measure_run(run, codes, tokenizer, batches=0)
    with pytest.raises(UserError, match="with --scripts"):
        measure_run(run, codes, tokenizer, questions=5)


def test_a_share_of_the_dialogues_is_a_part_of_a_larger_one(codes, tokenizer, hearing):
    def kept(share):
        pack = DialoguePack(codes, tokenizer, hearing.layout, replace(HELD_OUT, share=share))
        return {item["start"] for item in pack.dialogues}

    assert len(kept(1.0)) == 4 and len(kept(0.5)) == 2 and len(kept(0.01)) == 1
    assert kept(0.25) < kept(0.5) < kept(1.0)
    with pytest.raises(UserError, match="--share 0 is no share"):
        kept(0.0)
