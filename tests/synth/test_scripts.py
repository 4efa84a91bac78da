"""Scripts: reproducible, speakable, and honest about what the role tells."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from personaplex.speech.tts import display_words, words_of
from personaplex.spelling import spell_out
from personaplex.synth.__main__ import synth
from personaplex.synth.policies import other_fact
from personaplex.synth.scenarios import USUAL, draw_script
from personaplex.synth.scripts import GREETS_FIRST
from personaplex.synth.strangers import THINGS
from personaplex.synth.words import held_out, number


def scripts(count, split="train", seed=0, mix=USUAL):
    return [draw_script(np.random.default_rng([seed, i]), split, mix) for i in range(count)]


RARE = {"story": 0.5, "brief": 0.5, "open": 1.0, "interrupted": 0.3, "told": 0.3}


def test_same_seed_same_script():
    assert scripts(20) == scripts(20)
    assert scripts(20) != scripts(20, seed=1)


def test_every_word_can_be_spoken():
    for script in scripts(400) + scripts(100, mix=RARE):
        assert script.role.isascii()
        for line in script.lines:
            assert line.text.isascii() and not re.search(r"[0-9$%&]", line.text)
            assert len(words_of(line.text)) == len(display_words(line.text)) > 0


def test_turns_alternate_and_only_a_greeting_agent_begins():
    for script in scripts(400) + scripts(100, mix=RARE):
        who = [line.who for line in script.lines]
        assert all(a != b for a, b in zip(who, who[1:], strict=False))
        greets = any(phrase in script.role for phrase in GREETS_FIRST)
        assert script.agent_first == greets
        if who:
            assert who[0] == ("agent" if greets else "user")


def test_answers_repeat_what_the_role_tells():
    told = 0
    for script in scripts(300):
        role = script.role.lower()
        for line in script.lines:
            if line.who == "agent" and line.intent in ("name", "address", "slot", "hobby", "food", "place"):
                if line.kind == "answer":
                    assert line.fact in role
                    told += line.fact in " ".join(words_of(line.text))
    assert told > 30


def test_a_price_is_mostly_told_in_the_roles_own_sentence():
    read_out = []
    for script in scripts(300):
        role = " ".join(words_of(spell_out(script.role)))
        prices = [line for line in script.lines if (line.who, line.intent, line.kind) == ("agent", "price", "answer")]
        assert all(line.fact in " ".join(words_of(line.text)) for line in prices)
        read_out += [" ".join(words_of(line.text)) in role for line in prices]
    assert len(read_out) > 40 and 0.6 < np.mean(read_out) < 0.9


def test_a_refusal_is_about_something_untold():
    for script in scripts(300):
        for line in script.lines:
            if line.kind == "refusal" and line.intent in ("address", "deposit", "warranty"):
                assert line.intent not in script.role.lower()


def test_names_companies_and_trades_of_the_test_split_are_its_own():
    seen = 0
    for split in ("train", "test"):
        for script in scripts(150, split):
            match = re.match(
                r"You work for (\w+) .*?(?:which is an?|, an?) ([\w ]+?)(?:\.| and y).*?our name is (\w+)", script.role
            )
            if match:
                assert [held_out(part) for part in match.groups()] == [split == "test"] * 3
                seen += 1
    assert seen > 60


def test_wrong_details_are_corrected_and_forbidden_requests_refused():
    kinds = {"correction": 0, "rule": 0, "steer": 0, "calm": 0, "refusal": 0}
    for script in scripts(400):
        for asked, reply in zip(script.lines, script.lines[1:], strict=False):
            kinds[reply.kind] = kinds.get(reply.kind, 0) + 1
            if reply.kind == "correction":
                assert reply.fact in reply.text.lower() and reply.fact not in asked.text.lower()
            if reply.kind == "rule":
                assert any(word in reply.text for word in ("orry",)) and reply.fact in script.role.lower()
    assert all(kinds[kind] > 10 for kind in ("correction", "rule", "steer", "calm", "refusal"))


def test_a_wrong_fact_is_of_the_same_kind():
    rng = np.random.default_rng(0)
    for fact in (
        "fifty dollars",
        "one dollar",
        "sunday at four in the afternoon",
        "two hundred ten dollars",
        "nine in the morning",
    ):
        for _ in range(20):
            wrong = other_fact(rng, fact)
            assert wrong and wrong != fact and wrong.split()[-1].rstrip("s") == fact.split()[-1].rstrip("s")
    assert other_fact(rng, "cash and card") == ""


def test_a_mix_asks_for_stories_and_for_few_words():
    spoken = [script for script in scripts(100, mix={"story": 1.0}) if script.scenario != "silent"]
    assert min(max(len(words_of(line.text)) for line in script.lines) for script in spoken) > 30
    turns = [len(words_of(ln.text)) for s in scripts(100, mix={"brief": 3.0}) for ln in s.lines if ln.who == "user"]
    assert max(turns) <= 5 and np.median(turns) <= 4
    shares = [script.scenario for script in scripts(200, mix={"service": 0.0, "qa": 2.0, "brief": 2.0})]
    assert "service" not in shares and 60 < shares.count("qa") < 140


def test_an_open_talk_asks_what_nobody_can_know_in_words_that_are_always_others():
    known: set[str] = set()
    strange: set[str] = set()
    told = 0
    for script in scripts(150, mix={"open": 1.0}):
        for asked, reply in zip(script.lines, script.lines[1:], strict=False):
            if asked.who == "user" and asked.intent == "strange":
                strange |= set(words_of(asked.text))
                assert reply.kind == "refusal"
            elif asked.who == "user":
                known |= set(words_of(asked.text)) if asked.kind == "question" else set()
                told += asked.kind in ("statement", "story")
    assert len(strange - known) > 250 and told > 10
    assert not [word for word in strange & set(THINGS) if held_out(word)], "some words are the test split's"


def test_in_every_role_there_are_strangers_who_talk_for_half_a_minute():
    roles = set()
    for script in scripts(60, mix={"told": 1.0}):
        for asked, reply in zip(script.lines, script.lines[1:], strict=False):
            if asked.intent == "story" and script.scenario == "told":
                roles.add(script.role.split()[3])
                assert asked.who == "user" and len(re.findall(r"[.]", asked.text)) >= 6 and reply.kind == "answer"
                assert len(words_of(asked.text)) > 30 and len(words_of(reply.text)) < 8
                break
    assert {"wise", "a"} < roles  # a teacher and a friend, among desks


def test_long_answers_are_broken_off_by_questions_with_short_ones():
    for script in scripts(40, mix={"interrupted": 1.0}):
        for before, asked, reply in zip(script.lines[1:], script.lines[2:], script.lines[3:], strict=False):
            if asked.barge:
                assert before.who == reply.who == "agent" and asked.kind == "question"
                assert len(words_of(before.text)) > 7 >= len(words_of(reply.text))


@pytest.mark.parametrize("mix", ["service", "service=x", "opera=1", "qa=0", "qa=-1,casual=2", "qa=nan", ""])
def test_a_mix_that_is_none_is_said(mix, tmp_path):
    done = CliRunner().invoke(synth, ["--out", str(tmp_path), "--count", "1", "--mix", mix])
    assert done.exit_code == 2 and "--mix" in done.output and not any(tmp_path.iterdir())


def test_answers_are_short():
    assert np.median([len(words_of(line.text)) for s in scripts(200) for line in s.lines if line.who == "agent"]) <= 10


@pytest.mark.parametrize(
    ("value", "words"), [(0, "zero"), (17, "seventeen"), (45, "forty five"), (290, "two hundred ninety")]
)
def test_numbers(value, words):
    assert number(value) == words
