from types import SimpleNamespace

import pytest
import torch

from personaplex.errors import UserError
from personaplex.frames import Layout, lag
from personaplex.persona.persona import Persona, build_prompt
from personaplex.persona.prompt import prompt_frames, prompt_of_frames
from personaplex.persona.voices import Voice
from tests.helpers import tiny_model

LAYOUT = Layout(codebooks=2, card=10, text_card=50, delays=(0, 0, 1, 0, 1))
SILENCE, SINE = torch.tensor([8, 9]), torch.tensor([6, 7])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"))


def test_the_hybrid_prompt_is_voice_silence_role_silence_beside_a_sine():
    voice = torch.tensor([[1, 2, 3], [4, 5, 0]])
    frames = prompt_frames(voice, [30, 31], LAYOUT, SILENCE, SINE)
    assert frames.tolist() == [
        [3, 3] + [3] * 6 + [30, 31] + [3] * 6,
        [2, 3] + [8] * 14,  # the first frame of the voice falls on the initial column
        [5, 0] + [9] * 14,
        [6] * 16,
        [7] * 16,
    ]


def test_nothing_is_heard_during_the_prompt():
    layout = Layout(codebooks=2, card=10, text_card=50, delays=(0, 0, 1, 0, 1, 0), heard=True)
    voice = torch.tensor([[1, 2, 3], [4, 5, 0]])
    frames = prompt_frames(voice, [30, 31], layout, SILENCE, SINE)
    assert torch.equal(frames[:5], prompt_frames(voice, [30, 31], LAYOUT, SILENCE, SINE))
    assert frames[5].tolist() == [3] * 16
    assert prompt_of_frames(frames, layout).columns[5].tolist() == [50, *[3] * 16, -2]


def test_the_prompts_last_delayed_codes_are_written_into_the_column_after_it():
    frames = prompt_frames(torch.tensor([[1, 2], [3, 4]]), [], LAYOUT, SILENCE, SINE)
    prompt = prompt_of_frames(frames, LAYOUT)
    assert prompt.length(LAYOUT) == 1 + frames.shape[1]
    assert torch.equal(prompt.columns[:, :-1], lag(frames[None], LAYOUT)[0])
    assert prompt.columns[:, -1].tolist() == [-2, -2, 9, -2, 7]


def test_a_models_prompt_has_its_voice_its_silence_and_its_words(model):
    voice = model.voices.load("VARM3", model)
    prompt = build_prompt(Persona("You are a teacher", voice), model)
    ids = model.tokenizer.encode("<system> You are a teacher <system>")
    expected = prompt_frames(voice.codes, ids, model.lm.layout, model.silence, model.sine)
    assert torch.equal(prompt.columns, prompt_of_frames(expected, model.lm.layout).columns)
    assert (
        prompt.length(model.lm.layout) == 6 + 6 + len(ids) + 6
    )  # N voice frames make N columns, the initial one included


def test_an_empty_role_and_no_voice_leave_their_segments_empty(model):
    voice = model.voices.load("NATF0", model)
    length = build_prompt(Persona("", voice), model).length(model.lm.layout)
    assert length == 6 + 12
    assert build_prompt(Persona(" \n<system>", voice), model).digest == build_prompt(Persona("", voice), model).digest
    assert build_prompt(Persona(), model).length(model.lm.layout) == 1 + 12
    assert build_prompt(None, model).length(model.lm.layout) == 1


def test_an_over_long_role_says_by_how_many_tokens(model):
    voice = model.voices.load("NATF0", model)
    context = model.lm.config.context
    room = min(125, context // 4)
    role = ""
    while len(model.tokenizer.encode(f"<system> {role} <system>")) < context - room - 18 + 1:
        role += "a"  # a token a character is more than enough to come past the limit by a known number
    over = len(model.tokenizer.encode(f"<system> {role} <system>")) + 18 + room - context
    with pytest.raises(UserError, match=rf"The role is {over} tokens too long"):
        build_prompt(Persona(role, voice), model)


def test_an_over_long_voice_says_by_how_much(model):
    voice = Voice("long", codes=torch.zeros(8, 500, dtype=torch.long))
    with pytest.raises(UserError, match="too long for the model's context of 160 frames"):
        build_prompt(Persona("hello", voice), model)


def test_personas_are_equal_when_their_contents_are():
    codes = torch.ones(2, 3, dtype=torch.long)
    one, same = Persona("a", Voice("x", codes=codes)), Persona("a", Voice("y", codes=codes.clone()))
    assert one == same and hash(one) == hash(same)
    assert one != Persona("a", Voice("x", codes=codes + 1)) and one != Persona("b", Voice("x", codes=codes))


def test_prompts_are_told_apart_by_their_digest(model):
    digests = {
        build_prompt(persona, model).digest
        for persona in (None, Persona(), Persona("hello"), Persona("hello", model.voices.load("NATF1", model)))
    }
    assert len(digests) == 4


def test_the_released_tokenizer_is_asked_for_plain_text():
    asked = []
    lm = SimpleNamespace(layout=LAYOUT, config=SimpleNamespace(context=3000))
    tokenizer = SimpleNamespace(encode=lambda text: asked.append(text) or [5])
    build_prompt(
        Persona(" Be kind. "),
        SimpleNamespace(lm=lm, tokenizer=tokenizer, spoken_roles=False, silence=SILENCE, sine=SINE),
    )
    assert asked == ["<system> Be kind. <system>"]
