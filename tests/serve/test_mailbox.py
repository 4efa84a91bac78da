"""The engine behind its mailbox: what goes wrong in one conversation stays there."""

import asyncio
import threading

import numpy as np
import pytest

from personaplex.engine import Conversation, Engine
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona
from personaplex.serve.events import Dropped, Failed, Ready, Spoken
from personaplex.serve.inbox import Inbox
from personaplex.serve.mailbox import Mailbox
from tests.serve.talker import PATIENCE, speech

SOUND = speech(4).astype(np.float32) / 32768


@pytest.fixture
def mailbox(model):
    box = Mailbox(Engine(model, capacity=2), backlog=1000)
    box.start()
    yield box
    box.stop()
    assert not box.alive


def begin(box, seed=0):
    return box.open(lambda: Persona("You are wise."), Sampling(), seed)


async def following(session):
    async with asyncio.timeout(PATIENCE):
        return await session.events.get()


async def hear(session, frames):
    events = [await following(session) for _ in range(frames)]
    assert all(isinstance(event, Spoken) for event in events), events
    return np.concatenate([event.pcm for event in events])


async def emptied(box):
    async with asyncio.timeout(PATIENCE):
        while box.sessions:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)


def test_the_inbox_keeps_whole_frames_and_never_more_than_its_limit():
    inbox = Inbox(limit=4)
    frames = np.arange(6 * 1920, dtype=np.float32).reshape(6, 1920)
    assert inbox.put(frames[:2].reshape(-1)[:3000]) == 0
    assert inbox.put(frames[:2].reshape(-1)[3000:]) == 0
    assert np.array_equal(inbox.take()[0], frames[0])
    assert inbox.put(frames[2:5].reshape(-1)) == 0
    assert inbox.put(frames[5]) == 3
    assert np.array_equal(inbox.take()[0], frames[4])
    assert np.array_equal(inbox.take()[0], frames[5])
    assert inbox.take() is None


def test_a_frame_for_each_frame(mailbox):
    async def scene():
        session = begin(mailbox)
        session.push(SOUND)  # nobody is there yet to hear it
        assert await following(session) == Ready()
        session.push(SOUND)
        assert (await hear(session, 4)).shape == (4 * 1920,)
        assert session.events.empty()
        session.close()
        session.close()
        session.push(SOUND)
        await emptied(mailbox)

    asyncio.run(scene())


@pytest.mark.parametrize("method", ["push", "take", "give", "pull"])
def test_a_fault_in_one_conversation_ends_that_one(mailbox, monkeypatch, method, caplog):
    plain = getattr(Conversation, method)

    def sick(self, *args):
        if self.seed == 666:
            raise RuntimeError("sick")
        return plain(self, *args)

    async def scene():
        expected = await alone()
        monkeypatch.setattr(Conversation, method, sick)
        good, bad = begin(mailbox, seed=1), begin(mailbox, seed=666)
        assert await following(good) == await following(bad) == Ready()
        bad.push(SOUND)
        good.push(SOUND)
        event = await following(bad)
        assert isinstance(event, Failed) and event.internal and "sick" not in event.message
        assert np.array_equal(await hear(good, 4), expected)
        good.close()
        await emptied(mailbox)

    async def alone():
        session = begin(mailbox, seed=1)
        assert await following(session) == Ready()
        session.push(SOUND)
        heard = await hear(session, 4)
        session.close()
        await emptied(mailbox)
        return heard

    asyncio.run(scene())
    assert "sick" in caplog.text


def test_a_tick_that_fails_ends_those_in_it_and_the_next_ones_are_welcome(mailbox, monkeypatch):
    async def scene():
        silent, talking = begin(mailbox), begin(mailbox)
        assert await following(silent) == await following(talking) == Ready()
        with monkeypatch.context() as patch:
            patch.setattr(Engine, "tick", lambda self: 1 / 0)
            talking.push(SOUND)
            assert isinstance(await following(talking), Failed)
        silent.push(SOUND)
        await hear(silent, 4)
        later = begin(mailbox)
        assert await following(later) == Ready()
        for session in (silent, later):
            session.close()
        await emptied(mailbox)

    asyncio.run(scene())


def test_a_full_engine_says_so(mailbox):
    async def scene():
        sessions = [begin(mailbox) for _ in range(3)]
        first, second, third = [await following(session) for session in sessions]
        assert first == second == Ready()
        assert isinstance(third, Failed) and third.full
        for session in sessions:
            session.close()
        await emptied(mailbox)

    asyncio.run(scene())


def test_a_conversation_that_is_closed_before_it_began_leaves_its_place(mailbox):
    async def scene():
        for _ in range(5):
            begin(mailbox).close()
        session = begin(mailbox)
        assert await following(session) == Ready()
        session.close()
        await emptied(mailbox)

    asyncio.run(scene())


def test_a_persona_that_cannot_be_made_is_a_sentence_or_a_fault_of_ours(mailbox):
    async def scene():
        event = await following(mailbox.open(lambda: Persona("wise " * 400), Sampling(), 0))
        assert "too long" in event.message and not event.internal
        assert (await following(mailbox.open(lambda: 1 / 0, Sampling(), 0))).internal
        assert mailbox.sessions == 0

    asyncio.run(scene())


def test_a_reader_who_never_reads_is_let_go(mailbox, monkeypatch):
    monkeypatch.setattr("personaplex.serve.session.OUTBOX_EVENTS", 10)

    async def scene():
        session = begin(mailbox)
        assert await following(session) == Ready()
        for _ in range(4):
            session.push(SOUND)
        await emptied(mailbox)
        events = [session.events.get_nowait() for _ in range(session.events.qsize())]
        assert len(events) == 10 + 1 and isinstance(events[-1], Failed)

    asyncio.run(scene())


def test_too_much_at_once_drops_the_oldest_frames(model):
    box = Mailbox(Engine(model, capacity=1), backlog=6)  # never started: nothing is taken out

    async def scene():
        session = begin(box)
        session.live = True
        session.push(np.concatenate([SOUND, SOUND]))
        assert session.events.get_nowait() == Dropped(5, 5)
        session.push(np.concatenate([SOUND, SOUND]))
        assert session.events.get_nowait() == Dropped(8, 13)

    asyncio.run(scene())


def test_the_event_loop_does_not_wait_while_the_engine_thinks(mailbox, monkeypatch):
    plain, held, released = Engine.tick, threading.Event(), threading.Event()

    def slow(self):
        held.set()
        assert released.wait(PATIENCE)
        return plain(self)

    async def scene():
        session = begin(mailbox)
        assert await following(session) == Ready()
        monkeypatch.setattr(Engine, "tick", slow)
        session.push(SOUND[:1920])
        while not held.is_set():  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.001)
        for _ in range(20):
            session.push(np.zeros(1, np.float32))
            await asyncio.sleep(0.001)
        assert session.events.empty()  # the engine has not moved, and the loop has
        released.set()
        await hear(session, 1)
        session.close()
        await emptied(mailbox)

    asyncio.run(scene())


def test_stopping_tells_everybody(model):
    async def scene():
        box = Mailbox(Engine(model, capacity=1))
        box.start()
        session = begin(box)
        assert await following(session) == Ready()
        await asyncio.to_thread(box.stop)
        assert "shutting down" in (await following(session)).message

    asyncio.run(scene())


@pytest.mark.parametrize("gather", [True, False])
def test_a_frame_waits_for_those_of_the_other_conversations_or_not(model, monkeypatch, gather):
    monkeypatch.setattr("personaplex.serve.clock.FRAME_SECONDS", 3600.0)  # nobody becomes impatient
    monkeypatch.setattr("personaplex.serve.clock.STREAMING", 3600.0)
    box = Mailbox(Engine(model, capacity=2), gather=gather)
    counted = lambda: box.metrics.registry.get_sample_value("personaplex_tick_seconds_count", {"model": ""}) or 0  # noqa: E731

    async def scene():
        one, other = begin(box, seed=1), begin(box, seed=2)
        assert await following(one) == await following(other) == Ready()
        other.push(SOUND[:100])  # it streams, but its frame is not whole yet
        one.push(SOUND[:1920])
        if gather:
            await asyncio.sleep(0.1)
            assert counted() == 0 and one.events.empty()
        else:
            await hear(one, 1)
        other.push(SOUND[:1820])
        await hear(other, 1)
        if gather:
            await hear(one, 1)
        assert counted() == (1 if gather else 2)
        one.close(), other.close()

    box.start()
    asyncio.run(scene())
    box.stop()


def test_a_frame_does_not_wait_for_a_client_that_never_completes_its_own(mailbox):
    async def scene():
        one, other = begin(mailbox, seed=1), begin(mailbox, seed=2)
        assert await following(one) == await following(other) == Ready()
        other.push(SOUND[:100])
        one.push(SOUND[:1920])
        await hear(one, 1)
        one.close(), other.close()
        await emptied(mailbox)

    asyncio.run(scene())
