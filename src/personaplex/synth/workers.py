"""Processes that make the parts of a corpus in order, however fast each is; they end with the one that began them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")
_AHEAD = 8  # jobs that each process may be ahead of the one being waited for


class Pool:
    """Processes at work; made by `workers`."""

    def __init__(self, executor: ProcessPoolExecutor, count: int) -> None:
        self._executor, self._count = executor, count

    def in_order(self, job: Callable[[A], R], arguments: Iterable[A]) -> Iterator[R]:
        """`job` of each argument, in their order; only a few are begun before they are asked for."""
        source = iter(arguments)
        waiting: deque[Future[R]] = deque()
        try:
            while True:
                for argument in islice(source, _AHEAD * self._count - len(waiting)):
                    waiting.append(self._executor.submit(job, argument))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def workers(count: int) -> Iterator[Pool]:
    """So many processes, started afresh: an engine's library must not be inherited half used."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_die_with_parent)
    try:
        yield Pool(executor, count)
    finally:
        executor.shutdown(cancel_futures=True)


def _die_with_parent() -> None:
    """Watch, in a worker, for the end of the process that started it: killed, it would leave idle workers behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
