"""Scripts that a language model writes: taken where they are true and speakable, else the grammar's own."""

import json

import numpy as np
import pytest

from personaplex.errors import UserError
from personaplex.synth.checks import Refused, adopt
from personaplex.synth.corpus import Plan, write_dialogue
from personaplex.synth.scenarios import draw_script
from personaplex.synth.scripts import Line, Script
from personaplex.synth.texts import write_scripts
from personaplex.synth.writer import Model, Writer
from tests.synth.buzz import Buzz

ROLE = (
    "You work for Oak Repairs which is a garage and your name is Landen. The brake repair costs $90. Closed on Sunday."
)
SCRIPT = Script(
    "service",
    ROLE,
    (
        Line("user", "Hi, how much is the brake repair?", "question", "price", "ninety dollars"),
        Line("agent", "The brake repair is ninety dollars.", "answer", "price", "ninety dollars"),
        Line("user", "I heard that you close at nine in the evening. Is that right?", "question", "untold"),
        Line("agent", "I am sorry, I do not have that information.", "refusal", "untold"),
        Line("user", "What is the capital of France?", "question", "fact:france"),
        Line("agent", "The capital of France is Paris.", "answer", "fact:france"),
    ),
)
GOOD = (
    "So, um, what would you charge me for the brake repair?",
    "That one's ninety dollars.",
    "You close at nine in the evening, don't you?",
    "Sorry, I don't know that.",
    "Which city is the capital of France?",
    "It's Lyon, I think.",  # what can not be checked is not taken
)


def written(*texts, **changes):
    texts = [changes.get(f"line{at}", text) for at, text in enumerate(texts)]
    turns = [{"who": line.who, "text": text} for line, text in zip(SCRIPT.lines, texts, strict=True)]
    return json.dumps({"turns": turns})


def test_good_turns_are_taken_and_what_can_not_be_checked_stays():
    script = adopt(SCRIPT, f"<think>{{hm}}</think>Here you are:\n```json\n{written(*GOOD)}\n```")
    assert [line.text for line in script.lines] == [*GOOD[:5], "The capital of France is Paris."]
    assert [line.fact for line in script.lines] == [line.fact for line in SCRIPT.lines]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"line1": "It isn't cheap."}, "fact"),
        ({"line0": "Is the brake repair ninety dollars?"}, "fact"),  # gives the answer away
        ({"line1": "Ninety dollars, or eighty on Monday."}, "figures"),
        ({"line2": "You close at ten in the evening, right?"}, "figures"),
        ({"line3": "We close at nine in the evening."}, "form"),
        ({"line1": "It is $90, so ninety dollars."}, "words"),
        ({"line0": "Comment \u00e7a va?"}, "words"),
        ({"line0": "What does the ABS cost?"}, "words"),
        ({"line1": "Ninety dollars. " + "And so on. " * 20}, "length"),
        ({"line1": "..."}, "words"),
    ],
)
def test_turns_that_may_not_be_spoken(changes, why):
    with pytest.raises(Refused) as refused:
        adopt(SCRIPT, written(*GOOD, **changes))
    assert refused.value.why == why


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Sure!", "json"),
        ("[]", "json"),
        ('{"turns": [{"who": "user"}]}', "json"),
        ('{"turns": [{"who": "user", "text": "Hi."}]}', "turns"),
    ],
)
def test_answers_that_are_no_turns(answer, why):
    with pytest.raises(Refused) as refused:
        adopt(SCRIPT, answer)
    assert refused.value.why == why


def test_a_grammars_own_words_always_pass():
    for index in range(200):
        script = draw_script(np.random.default_rng([3, index]), "train")
        turns = [{"who": line.who, "text": line.text} for line in script.lines]
        assert [line.fact for line in adopt(script, json.dumps({"turns": turns})).lines] == [
            line.fact for line in script.lines
        ]


def writer(endpoint, cache, timeout=5.0):
    return Writer(Model(endpoint.url, "parrot", cache=cache, timeout=timeout))


def test_answers_are_asked_for_once(endpoint, tmp_path):
    endpoint.answer = lambda body: written(*GOOD)
    first = writer(endpoint, tmp_path).write(SCRIPT)
    assert (first.by, first.refused, first.script.lines[1].text) == ("llm", "", GOOD[1])
    assert writer(endpoint, tmp_path).write(SCRIPT) == first and len(endpoint.asked) == 1
    sheet = json.loads(endpoint.asked[0]["messages"][1]["content"])
    assert sheet["role"] == ROLE and sheet["turns"][1]["must_say"] == ["ninety dollars"]


def test_a_refused_answer_is_asked_for_again_with_the_reason(endpoint, tmp_path):
    endpoint.answer = lambda body: (
        written(*GOOD, line1="It isn't cheap.") if len(endpoint.asked) == 1 else written(*GOOD)
    )
    assert writer(endpoint, tmp_path).write(SCRIPT).by == "llm"
    assert "must say 'ninety dollars'" in endpoint.asked[1]["messages"][-1]["content"]


@pytest.mark.parametrize(("answer", "why"), [("I would rather not.", "json"), (500, "silence"), (1.0, "silence")])
def test_the_grammar_where_the_model_fails_and_an_end_where_it_is_gone(endpoint, tmp_path, monkeypatch, answer, why):
    monkeypatch.setattr("personaplex.speech.endpoint.time.sleep", lambda seconds: None)
    endpoint.answer = lambda body: answer
    asking = writer(endpoint, tmp_path, timeout=0.2)
    for _ in range(2):
        result = asking.write(SCRIPT)
        assert (result.script, result.by, result.refused) == (SCRIPT, "grammar", why)
    if why == "silence":
        with pytest.raises(UserError, match="gave no answer: .* goes on with it"):
            asking.write(SCRIPT)


def as_asked(body):
    """Every turn in the grammar's own words, but for one."""
    sheet = json.loads(body["messages"][1]["content"])
    turns = [{"who": turn["who"], "text": turn["means"].replace("Hello", "Good day")} for turn in sheet["turns"]]
    return json.dumps({"turns": turns}) if sheet["kind"] != "qa" else "no"


def test_a_dialogue_says_who_wrote_it(endpoint, tmp_path, monkeypatch):
    voices = Buzz()
    monkeypatch.setattr("personaplex.synth.corpus.process_voices", lambda: voices)
    monkeypatch.setattr("personaplex.synth.corpus.agent_gain", lambda agent: 0.5)
    (tmp_path / "audio").mkdir()
    endpoint.answer = as_asked
    plan = Plan(tmp_path, 4, "train", (), Model(endpoint.url, "parrot", cache=tmp_path / "cache"))
    for index in range(1, 9):
        write_dialogue(plan, index)
    records = [json.loads(path.read_text()) for path in (tmp_path / "audio").glob("*.json")]
    assert {(record["writer"], record["refused"]) for record in records} == {("llm", ""), ("grammar", "json")}
    assert plan.as_dict()["writer"] == f"parrot at 127.0.0.1:{endpoint.server_port}"


def test_scripts_without_sound_are_written_too(endpoint, tmp_path):
    endpoint.answer = as_asked
    model = Model(endpoint.url, "parrot", cache=tmp_path / "cache")
    told = write_scripts(tmp_path, 1, "train", 12, model=model)
    assert told["writers"]["llm"] > 4 and told["refusals"]["json"] == told["writers"]["grammar"] > 0
    assert len((tmp_path / "scripts.jsonl").read_text().splitlines()) == 12
