import random

import numpy as np
import pytest
import torch

from personaplex.engine import Engine, EngineFull
from personaplex.engine.conversation import PieceText
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona
from tests.helpers import HEARD, tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """It hears, so that whatever holds of its other streams is tested of that one too."""
    return tiny_model(tmp_path_factory.mktemp("model"), **HEARD)


def noise(frames, seed=0, extra=0):
    return np.random.default_rng(seed).normal(0, 0.1, frames * FRAME_SAMPLES + extra).astype(np.float32)


def run(conversation, engine, sound):
    conversation.push(sound)
    while engine.tick():
        pass
    return conversation.pull()


def a_persona(model, role="You are a wise teacher", voice="NATF2"):
    return Persona(role, model.voices.load(voice, model))


def tokens(outputs):
    return np.stack([output.tokens for output in outputs])


def sound(outputs):
    return np.concatenate([output.pcm for output in outputs])


def same(outputs, expected):
    """Equal bit for bit: tokens, sound and text."""
    return (
        np.array_equal(tokens(outputs), tokens(expected))
        and np.array_equal(sound(outputs), sound(expected))
        and [(output.text, output.heard) for output in outputs] == [(output.text, output.heard) for output in expected]
    )


def test_one_frame_out_for_each_frame_in(model):
    engine = Engine(model)
    conversation = engine.open(a_persona(model), seed=1)
    assert conversation.pull() == [] and engine.tick() == 0
    outputs = run(conversation, engine, noise(7, extra=1000))
    assert [output.index for output in outputs] == list(range(7))
    assert conversation.late == 0 and conversation.backlog == 0
    assert all(output.pcm.shape == (FRAME_SAMPLES,) and output.pcm.dtype == np.float32 for output in outputs)
    assert len(run(conversation, engine, noise(1)[:920])) == 1  # the 1000 samples that waited make another frame


def test_the_agent_hears_a_frame_when_it_comes_and_not_before(model):
    """What the user says in frame 5 changes the agent's delayed codes of frame 5, and nothing earlier."""
    engine, persona = Engine(model, capacity=2), a_persona(model)
    heard = noise(9)
    changed = heard.copy()
    changed[5 * FRAME_SAMPLES :] = noise(4, seed=9)
    one, other = (
        tokens(run(engine.open(persona, Sampling(greedy=True), seed=3), engine, each)) for each in (heard, changed)
    )
    agent = slice(0, 9)
    assert np.array_equal(one[:5], other[:5])
    assert np.array_equal(one[5, :2], other[5, :2])  # text and the semantic code were said while it listened
    assert not np.array_equal(one[5:7, agent], other[5:7, agent])


def test_sound_and_tokens_are_the_codecs(model):
    engine, heard = Engine(model), noise(12)
    outputs = run(engine.open(a_persona(model), seed=4), engine, heard)
    frames = torch.from_numpy(tokens(outputs).T)[None]
    with torch.no_grad():
        codes = model.codec.encode(torch.from_numpy(heard)[None, None])
        pcm = model.codec.decode(frames[:, model.lm.layout.agent])
    assert torch.equal(frames[:, model.lm.layout.user], codes)
    np.testing.assert_allclose(sound(outputs), pcm[0, 0].numpy(), rtol=0, atol=1e-5)


def test_what_it_heard_comes_piece_by_piece(model):
    engine = Engine(model)
    outputs = run(engine.open(a_persona(model), seed=4), engine, noise(40))
    ids = tokens(outputs)[:, model.lm.layout.heard_text][:, 0]
    said = PieceText(model.tokenizer, model.lm.layout)
    assert [output.heard for output in outputs] == [said.push(int(token)) for token in ids]
    assert any(output.heard for output in outputs)


def test_odd_chunks_give_what_one_push_gives(model):
    engine, persona, heard = Engine(model), a_persona(model), noise(10)
    first = engine.open(persona, seed=5)
    expected = run(first, engine, heard)
    first.close()
    second = engine.open(persona, seed=5)
    outputs, rest, sizes = [], heard, random.Random(0)
    while len(rest):
        size = sizes.choice([1, 17, 480, 960, 1919, 1920, 1921, 5000])
        outputs += run(second, engine, rest[:size])
        rest = rest[size:]
    assert same(outputs, expected)


def test_same_seed_same_tokens_other_seed_other_tokens(model):
    engine, persona, heard = Engine(model, capacity=4), a_persona(model), noise(10)
    drawn = engine.open(persona)
    expected = run(drawn, engine, heard)
    assert same(run(engine.open(persona, seed=drawn.seed), engine, heard), expected)
    assert not same(run(engine.open(persona, seed=drawn.seed + 1), engine, heard), expected)
    greedy = [run(engine.open(persona, Sampling(greedy=True), seed=engine.free), engine, heard)]
    drawn.close()
    greedy.append(run(engine.open(persona, Sampling(greedy=True), seed=99), engine, heard))
    assert same(*greedy)


@pytest.mark.parametrize("trial", range(6))
def test_a_row_never_depends_on_what_the_others_do(model, trial):
    """Others come, go, stall and differ at random, in any rows: bit for bit the same tokens and sound."""
    rng = random.Random(trial)
    persona, heard, sampling = a_persona(model), noise(14, seed=trial), Sampling(topk_audio=rng.choice([5, 250]))
    alone = Engine(model, capacity=3)
    expected = run(alone.open(persona, sampling, seed=trial), alone, heard)
    engine, others, outputs, fed, mine = Engine(model, capacity=3), [], [], 0, None
    for _ in range(rng.randrange(3)):  # so that ours is not always in the first row
        others.append(engine.open(a_persona(model, "hello", rng.choice(model.voices.names())), seed=rng.randrange(99)))
    while len(outputs) < 14:
        if mine is None and rng.random() < 0.5:
            mine = engine.open(persona, sampling, seed=trial)
        if engine.free > (mine is None) and rng.random() < 0.3:
            role = rng.choice(["", "the answer is hello", "You are a friendly teacher"])
            settings = rng.choice(
                [Sampling(greedy=True), Sampling(topk_text=0, topk_audio=0), Sampling(temp_audio=2.0)]
            )
            others.append(engine.open(Persona(role), settings, seed=rng.randrange(99)))
        if others and rng.random() < 0.2:
            others.pop(rng.randrange(len(others))).close()
        for other in others:
            if rng.random() < 0.6:
                other.push(noise(1, seed=rng.randrange(99)) * rng.choice([0.0, 1.0, 20.0]))
        if mine is not None and fed < 14 and rng.random() < 0.6:
            mine.push(heard[fed * FRAME_SAMPLES : (fed + 1) * FRAME_SAMPLES])
            fed += 1
        engine.tick()
        outputs += mine.pull() if mine else []
    assert same(outputs, expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("capacity", [2, 3, 5, 8])
def test_every_row_computes_the_same(model, capacity, threads):
    """To the last bit of what it remembers, so that it does not matter which row was free."""
    torch.set_num_threads(threads)
    engine, persona, heard = Engine(model, capacity), a_persona(model), noise(8)
    rows = [engine.open(persona, seed=6) for _ in range(capacity)]
    for conversation in rows:
        conversation.push(heard)
    while engine.tick():
        pass
    expected, *others = [conversation.pull() for conversation in rows]
    assert all(same(outputs, expected) for outputs in others)
    for node in (*engine._stepper.state.nodes(), *engine._encoder.nodes(), *engine._decoder.nodes()):
        for tensor in node.own_tensors():
            assert all(torch.equal(tensor[row], tensor[0]) for row in range(capacity))


def test_a_row_that_was_used_is_as_good_as_new(model):
    engine, persona, heard = Engine(model), a_persona(model), noise(6)
    first = engine.open(persona, seed=7)
    expected = run(first, engine, heard)
    first.close()
    other = engine.open(Persona("hello"), seed=8)
    run(other, engine, noise(40, seed=3))
    other.close()
    assert same(run(engine.open(persona, seed=7), engine, heard), expected)


def test_a_persona_seen_before_starts_from_its_cached_prefix(model):
    engine, heard = Engine(model), noise(6)
    outputs = []
    for _ in range(2):
        conversation = engine.open(a_persona(model), seed=9)
        outputs.append(run(conversation, engine, heard))
        conversation.close()
    assert (engine.prefixes.hits, engine.prefixes.misses, engine.totals.prefills) == (1, 1, 1)
    assert same(*outputs)
    forgetful = Engine(model, prefix_bytes=0)
    assert same(run(forgetful.open(a_persona(model), seed=9), forgetful, heard), outputs[0])
    assert len(forgetful.prefixes) == 0


def test_the_least_recently_used_prefix_gives_way(model):
    engine = Engine(model)
    size = engine.prefix(Persona("hello")).nbytes
    engine = Engine(model, prefix_bytes=int(2.5 * size))
    for role in ("hello", "system", "hello", "answer"):  # "system" is the oldest when room is needed
        engine.prefix(Persona(role))
    assert engine.prefixes.nbytes <= 2.5 * size and len(engine.prefixes) == 2
    misses = engine.prefixes.misses
    engine.prefix(Persona("hello"))
    assert engine.prefixes.misses == misses
    engine.prefix(Persona("system"))
    assert engine.prefixes.misses == misses + 1


def test_a_full_engine_says_so_until_somebody_leaves(model):
    engine = Engine(model, capacity=1)
    conversation = engine.open(None, seed=0)
    with pytest.raises(EngineFull, match="All 1 places are taken"):
        engine.open(None)
    conversation.close()
    conversation.close()
    assert engine.free == 1 and engine.open(None).row == 0
    with pytest.raises(UserError, match="closed"):
        conversation.push(noise(1))


def test_an_over_long_prompt_is_refused_and_takes_no_row(model):
    engine = Engine(model)
    with pytest.raises(UserError, match="tokens too long"):
        engine.open(a_persona(model, "teacher " * 300))
    assert engine.free == 1


def test_a_model_with_a_larger_delay_starts_late_with_silence(tmp_path):
    delays = (0, *(0, 2, 2, 2, 2, 2, 2, 2) * 2)
    model = tiny_model(tmp_path, delays=delays)
    engine = Engine(model)
    heard = noise(8)
    conversation = engine.open(a_persona(model), seed=1)
    outputs = run(conversation, engine, heard)
    assert conversation.late == 1
    assert [output.index for output in outputs] == list(range(-1, 7))
    layout = model.lm.layout
    assert outputs[0].text == "" and outputs[0].tokens[0] == layout.text_pad
    assert np.array_equal(outputs[0].tokens[layout.agent], model.silence.numpy())
    codes = model.codec.encode(torch.from_numpy(heard)[None, None])[0].numpy()
    assert np.array_equal(tokens(outputs[1:])[:, layout.user].T, codes[:, :7])


@pytest.mark.parametrize("delay", [1, 2])
def test_the_alternatives_are_those_of_the_frames_text_and_change_nothing(model, tmp_path, delay):
    if delay > 1:
        model = tiny_model(tmp_path, delays=(0, *(0, *[delay] * 7) * 2))
    engine, persona = Engine(model, capacity=2), a_persona(model)
    greedy = Sampling(greedy=True)
    plain, asked = (
        run(engine.open(persona, greedy, seed=1, alternatives=number), engine, noise(6)) for number in (0, 3)
    )
    assert same(plain, asked) and not any(output.alternatives for output in plain)
    late = asked[0].index * -1
    assert not any(output.alternatives for output in asked[:late])
    for output in asked[late:]:
        ids, chances = zip(*output.alternatives, strict=True)
        assert ids[0] == output.tokens[0] and len(set(ids)) == 3
        assert 1 > chances[0] >= chances[1] >= chances[2] > 0 and sum(chances) <= 1


@pytest.mark.parametrize("part", ["take", "draw", "give"])
def test_what_breaks_in_one_conversation_breaks_that_one(model, monkeypatch, part):
    engine = Engine(model, capacity=2)
    alone = run(engine.open(None, seed=1), engine, noise(5))
    engine.conversations[0].close()
    good, bad = engine.open(None, seed=1), engine.open(None, seed=666)
    plain = getattr(type(bad), part)

    def sick(self, *args):
        if self.seed == 666 and self.ticks == 2:
            raise RuntimeError("sick")
        return plain(self, *args)

    monkeypatch.setattr(type(bad), part, sick)
    bad.push(noise(4, seed=2))
    assert same(run(good, engine, noise(5)), alone)
    assert len(bad.pull()) == 2 and bad.backlog == 0
    with pytest.raises(RuntimeError, match="sick"):
        bad.pull()
    with pytest.raises(RuntimeError, match="sick"):
        bad.push(noise(1))
    bad.close()
    assert engine.free == 1


def test_samples_that_are_no_numbers_count_as_silence(model):
    engine, persona = Engine(model, capacity=2), a_persona(model)
    broken, quiet = noise(3), noise(3)
    broken[2000:2100], quiet[2000:2100] = np.nan, 0.0
    broken[3000], quiet[3000] = np.inf, 0.0
    assert same(run(engine.open(persona, seed=1), engine, broken), run(engine.open(persona, seed=1), engine, quiet))
    with pytest.raises(ValueError, match="one channel"):
        engine.conversations[0].push(np.zeros((2, 1920), dtype=np.float32))


def test_the_trace_tells_the_times_and_the_batch(model):
    engine = Engine(model, capacity=3)
    outputs = run(engine.open(None, seed=1), engine, noise(5))
    trace = outputs[-1].trace
    assert (trace.rows, trace.capacity) == (1, 4)
    assert min(trace.encode_ms, trace.think_ms, trace.decode_ms) > 0
    assert trace.tick_ms == pytest.approx(trace.encode_ms + trace.think_ms + trace.decode_ms)
    totals = engine.totals
    assert (totals.frames, totals.ticks, totals.prefills) == (5, 5, 1)
    total = sum(output.trace.tick_ms for output in outputs) / 1000
    assert totals.real_time_factor == pytest.approx(5 * 0.08 / total)


def test_half_precision_models_talk_too(tmp_path):
    model = tiny_model(tmp_path)
    model.lm.to(torch.bfloat16)
    engine = Engine(model, capacity=2)
    assert len(run(engine.open(a_persona(model), seed=1), engine, noise(4))) == 4


def test_a_character_in_several_byte_pieces_comes_out_whole(model):
    said = PieceText(model.tokenizer, model.lm.layout)
    ids = model.tokenizer.encode("hello é teacher 好")
    assert len(ids) > len("hello é teacher 好") - 10
    pieces = []
    for token in ids:
        pieces += [said.push(token), said.push(model.lm.layout.text_pad)]
    assert "".join(pieces).strip() == "hello é teacher 好"
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(pieces)


def test_broken_bytes_say_nothing_and_do_not_spoil_what_follows(model):
    said = PieceText(model.tokenizer, model.lm.layout)
    broken = model.tokenizer.encode("好")[-1]
    pieces = [said.push(broken) for _ in range(3)] + [said.push(token) for token in model.tokenizer.encode("teacher")]
    assert "".join(pieces).strip() == "teacher"
