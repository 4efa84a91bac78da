import pytest
import torch

from personaplex.engine.stepper import Stepper, prefill
from personaplex.frames import UNGENERATED, lag
from personaplex.lm.sampling import Chooser, Sampling
from personaplex.persona.prompt import prompt_frames, prompt_of_embeddings, prompt_of_frames
from tests.helpers import HEARD, random_frames, tiny_lm

GREEDY = Sampling(greedy=True)


class Recorder:
    """Greedy, and remembers the logits of every choice."""

    def __init__(self):
        self.logits = []

    def text(self, logits, luck):
        self.logits.append(logits.clone())
        return logits.argmax(dim=-1)

    audio = text


def a_prompt(lm, voice_frames=9, role=5):
    layout = lm.layout
    voice = torch.randint(layout.card, (layout.codebooks, voice_frames))
    silence, sine = torch.randint(layout.card, (2, layout.codebooks))
    return voice, prompt_frames(voice, torch.randint(4, layout.text_card, (role,)).tolist(), layout, silence, sine)


def user_codes(lm, frames, batch=1):
    return torch.randint(lm.layout.card, (frames, batch, lm.layout.codebooks))


def talk(stepper, user, choice, active=None):
    """Frames int64 `[T, B, S]` for user codes `[T, B, K]`."""
    luck = torch.zeros(stepper.capacity, 1 + stepper.layout.codebooks)
    return torch.stack([stepper.step(frame, luck, choice, active) for frame in user])


def begun(lm, prompt, choice, capacity=1, row=0):
    stepper = Stepper(lm, capacity)
    stepper.begin(row, prefill(lm, prompt), torch.zeros(1, 1 + lm.layout.codebooks), choice)
    return stepper


DELAYS = {
    "one": (0, *(0, 1, 1, 1, 1, 1, 1, 1) * 2),
    "none": (0,) * 17,
    "three": (0, *(0, 1, 1, 2, 2, 2, 3, 3) * 2),
}


@pytest.mark.parametrize("delays", DELAYS.values(), ids=DELAYS)
def test_prefill_in_one_pass_equals_stepping_the_prompt_column_by_column(delays):
    lm = tiny_lm(delays=delays)
    _, frames = a_prompt(lm)
    prompt = prompt_of_frames(frames, lm.layout)
    prefix = prefill(lm, prompt)
    columns = lag(frames[None], lm.layout)
    assert prefix.length == columns.shape[2] == prompt.length(lm.layout)
    state = lm.init_state(1)
    with torch.no_grad():
        for column in columns.split(1, dim=2):
            hidden = lm.temporal(lm.embed(column), state)[:, 0]
    torch.testing.assert_close(prefix.hidden, hidden, rtol=0, atol=1e-5)
    stepper = Stepper(lm, 1)
    stepper.begin(0, prefix, torch.zeros(1, 9), Recorder())
    assert torch.equal(stepper.state.ring.offset, state.ring.offset)
    for mine, stepped in zip(stepper.state.caches, state.caches, strict=True):
        torch.testing.assert_close(mine.keys, stepped.keys, rtol=0, atol=1e-5)
        torch.testing.assert_close(mine.values, stepped.values, rtol=0, atol=1e-5)


KINDS = {name: {"delays": delays} for name, delays in DELAYS.items()} | {
    "recalling": {**HEARD, "recall": 2},
    "sharing": {**HEARD, "recall": 2, "shared_words": True},
    "copying": {**HEARD, "pointer": 6, "context": 32},  # its role has left the context by the end
    "echoing": {**HEARD, "pointer": 6, "echo": 5},  # places that are soon taken again
    "looking up": {**HEARD, "pointer": 6, "echo": 40, "lookup": True, "context": 32},
    "cloning": {"voiceprint": 5, "context": 32},  # the voice sample has left the context by the end
}


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_what_is_generated_is_what_the_forward_pass_predicts(changes):
    """Every token chosen live is the likeliest by the teacher-forced logits of the whole: the grid was kept exactly."""
    lm = tiny_lm(**changes)
    _, prompt = a_prompt(lm)
    user = user_codes(lm, 30)
    stepper = begun(lm, prompt_of_frames(prompt, lm.layout), Recorder())
    frames = talk(stepper, user, Recorder())[stepper.late :, 0].T  # [S, T]
    assert torch.equal(frames[lm.layout.user], user[: frames.shape[1], 0].T)
    with torch.no_grad():
        logits = lm(torch.cat([prompt, frames], dim=1)[None], torch.tensor([prompt.shape[1]]))
    first, margin = prompt.shape[1], 1e-4
    chosen = [(logits.text[0, first:], frames[0], slice(0, frames.shape[1]))]
    for k in range(lm.layout.codebooks):
        steps = slice(0, frames.shape[1] - lm.layout.delays[1 + k])
        chosen.append((logits.audio[0, k, first:], frames[1 + k], steps))
    if logits.heard is not None:
        chosen.append((logits.heard[0, first:], frames[-1], slice(0, frames.shape[1])))
    for scores, tokens, steps in chosen:
        taken = scores[steps].gather(1, tokens[steps, None])[:, 0]
        assert (taken >= scores[steps].amax(dim=1) - margin).all()


def test_what_it_hears_is_the_likeliest_by_the_forward_pass_and_costs_the_others_nothing():
    plain, lm = tiny_lm(), tiny_lm(**HEARD)
    lm.load_state_dict(plain.state_dict(), strict=False)
    _, prompt = a_prompt(lm)
    user = user_codes(lm, 30)
    sampled = Chooser([Sampling()])
    frames = talk(begun(lm, prompt_of_frames(prompt, lm.layout), sampled), user, sampled)[:, 0].T
    with torch.no_grad():
        scores = lm(torch.cat([prompt, frames], dim=1)[None]).heard[0, prompt.shape[1] :]
    taken = scores.gather(1, frames[-1, :, None])[:, 0]
    assert (taken >= scores.amax(dim=1) - 1e-4).all()  # recognised, whatever the luck of the others
    with torch.no_grad():
        lm.heard_emb.weight.zero_()
    alike = talk(begun(lm, prompt_of_frames(prompt, lm.layout), sampled), user, sampled)[:, 0].T
    before = talk(begun(plain, prompt_of_frames(prompt[:-1], plain.layout), sampled), user, sampled)[:, 0].T
    assert torch.equal(alike[:-1], before)


def test_without_a_prompt_a_conversation_begins_after_the_initial_column():
    lm = tiny_lm()
    nothing = prompt_of_frames(torch.zeros(17, 0, dtype=torch.long), lm.layout)
    assert nothing.length(lm.layout) == 1
    assert nothing.columns[:, 0].equal(lm.layout.initial())
    assert nothing.columns[0, 1] == nothing.columns[1, 1] == UNGENERATED  # not delayed: still to be predicted
    assert (nothing.columns[2:9, 1] == lm.config.card).all()


@pytest.mark.parametrize("delays", [DELAYS["one"], DELAYS["three"]], ids=["one", "three"])
def test_a_packaged_voice_goes_on_like_the_tokens_that_it_was_made_of(delays):
    lm = tiny_lm(delays=delays)
    layout = lm.layout
    voice, frames = a_prompt(lm, voice_frames=9)
    spoken = voice.shape[1] - 1
    # What NVIDIA's program leaves behind after the voice: the embeddings of columns 0 to N - 2, and a token cache whose
    # slot c % (max_delay + 3) holds column c, for the columns that were written last.
    columns = prompt_of_frames(frames, layout).columns
    with torch.no_grad():
        embeddings = lm.embed(columns[None, :, :spoken])[0]
    slots = layout.max_delay + 3
    cache = torch.full((layout.streams, slots), UNGENERATED)
    for stream, delay in enumerate(layout.delays):
        for column in range(max(0, spoken + delay - slots + 1), spoken + delay + 1):
            cache[stream, column % slots] = columns[stream, column]
    packaged = prompt_of_embeddings(embeddings, cache, frames[:, spoken:], layout)
    plain = prompt_of_frames(frames, layout)
    assert packaged.length(layout) == plain.length(layout)
    user, one, other = user_codes(lm, 25), Recorder(), Recorder()
    expected = talk(begun(lm, plain, one), user, one)
    assert torch.equal(talk(begun(lm, packaged, other), user, other), expected)
    for mine, theirs in zip(one.logits, other.logits, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, KINDS["recalling"], KINDS["copying"]], ids=["plain", "recalling", "copying"])
def test_capacity_one_and_three_give_the_same_logits(changes):
    lm = tiny_lm(**changes)
    _, frames = a_prompt(lm)
    prompt, user = prompt_of_frames(frames, lm.layout), user_codes(lm, 20)
    one, three = Recorder(), Recorder()
    alone = begun(lm, prompt, Recorder())
    among = begun(lm, prompt, Recorder(), capacity=3, row=1)
    for row in (0, 2):
        among.begin(
            row, prefill(lm, prompt_of_frames(random_frames(lm, 1, 7)[0], lm.layout)), torch.zeros(1, 9), Recorder()
        )
    talk(alone, user, one)
    others = user_codes(lm, 20, batch=3)
    others[:, 1] = user[:, 0]
    talk(among, others[:8], three)
    talk(among, others[:5], Recorder(), torch.tensor([True, False, True]))  # it takes no part in these
    talk(among, others[8:], three)
    for mine, theirs in zip(one.logits, three.logits, strict=True):
        torch.testing.assert_close(mine[0], theirs[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("delays", DELAYS.values(), ids=DELAYS)
def test_a_frame_that_begins_in_silence_is_silent_where_its_other_codes_come_later(delays):
    lm = tiny_lm(delays=delays)
    agent, prompt, user = lm.layout.agent, prompt_of_frames(a_prompt(lm)[1], lm.layout), user_codes(lm, 24, batch=2)
    plain = talk(begun(lm, prompt, Recorder()), user[:, :1], Recorder())[:, 0, agent]
    silence = torch.randint(lm.layout.card, (lm.layout.codebooks,))
    silence[0] = plain[:, 0].mode().values  # what it says most
    later = torch.tensor(delays[agent]) > delays[agent.start]
    asked = []
    lm.linears[7].register_forward_hook(lambda *_: asked.append(1))

    def silenced(rows):
        stepper = Stepper(lm, len(rows), silence)
        for row in range(len(rows)):
            stepper.begin(row, prefill(lm, prompt), torch.zeros(1, 9), Recorder())
        return talk(stepper, user[:, rows], Recorder())

    one = silenced([0])
    codes = one[:, 0, agent]
    quiet = codes[:, 0] == silence[0]
    assert quiet.any()
    assert torch.equal(codes[quiet][:, later], silence[later].expand(int(quiet.sum()), -1))
    if not later.any():
        assert torch.equal(codes, plain)
    last = delays[agent.stop - 1]  # columns from a frame's first code to its last; so many are left of the prompt
    assert len(asked) == 1 + len(user) - last - (int(quiet[: len(user) + 1 - last].sum()) if last else 0)
    assert torch.equal(silenced([1, 0])[:, 1], one[:, 0])


def test_the_users_depth_steps_are_not_run_and_change_nothing():
    both = tiny_lm(dep_q=16)
    agent = tiny_lm(dep_q=8)
    weights = both.state_dict()
    for name, parameter in agent.state_dict().items():
        parameter.copy_(weights[name][: parameter.shape[0]])  # stacked steps: the agent's come first
    calls = []
    both.linears[8].register_forward_hook(lambda *_: calls.append(1))
    user = user_codes(both, 15)
    prompt = prompt_of_frames(a_prompt(both)[1], both.layout)
    assert torch.equal(
        talk(begun(both, prompt, Recorder()), user, Recorder()),
        talk(begun(agent, prompt, Recorder()), user, Recorder()),
    )
    assert not calls


def test_a_row_without_input_is_left_as_it_is():
    lm = tiny_lm()
    prompt = prompt_of_frames(a_prompt(lm)[1], lm.layout)
    user = user_codes(lm, 12, batch=2)
    chooser = Chooser([GREEDY] * 2)

    def both():
        stepper = begun(lm, prompt, Recorder(), capacity=2)
        stepper.begin(1, prefill(lm, prompt), torch.zeros(1, 9), Recorder())
        return stepper

    expected = talk(both(), user, chooser)
    stepper = both()
    first = talk(stepper, user[:5], chooser)
    paused = torch.tensor([True, False])
    middle = talk(stepper, user[5:].index_fill(1, torch.tensor([1]), 0), chooser, paused)
    last = talk(stepper, user[5:], chooser, ~paused)
    assert torch.equal(torch.cat([first, middle])[:, 0], expected[:, 0])
    assert torch.equal(torch.cat([first, last])[:, 1], expected[:, 1])
