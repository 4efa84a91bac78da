"""Places, the queue before them, and the limits of a key."""

import asyncio
from contextlib import ExitStack

import pytest

from personaplex.serve.door import Door, Refusal, Visitor

NOBODY = Visitor()


async def follow(ticket):
    return [position async for position in ticket.positions()]


def test_those_who_wait_move_up_in_their_order():
    async def scene():
        door = Door(places=1, queue=2)
        with ExitStack() as first, ExitStack() as second, door.enter(NOBODY) as third:
            pass
        first, second, third = (ExitStack() for _ in range(3))
        tickets = [stack.enter_context(door.enter(NOBODY)) for stack in (first, second, third)]
        assert [ticket.position for ticket in tickets] == [0, 1, 2] and (door.inside, door.waiting) == (1, 2)
        with pytest.raises(Refusal, match="All 1 places are taken") as full:
            door.check(NOBODY)
        assert (full.value.status, full.value.retry_after) == (503, 15)
        seen = asyncio.create_task(follow(tickets[2]))
        await asyncio.sleep(0)
        second.close()  # gives up while waiting
        await asyncio.sleep(0)
        first.close()
        assert await seen == [2, 1] and door.inside == 1
        third.close()
        assert (door.inside, door.waiting) == (0, 0)

    asyncio.run(scene())


def test_a_key_has_its_own_limit():
    door, one, other = Door(places=5), Visitor("one", 1), Visitor("other", 1)
    with door.enter(one), door.enter(other):
        with pytest.raises(Refusal, match="This key may have 1 conversation at a time") as refused:
            door.check(one)
        assert refused.value.status == 429
    door.check(one)


def test_a_closed_door_lets_nobody_in():
    door = Door(places=1)
    door.close(at=0.0)
    with pytest.raises(Refusal, match="shutting down"), door.enter(NOBODY):
        pass
