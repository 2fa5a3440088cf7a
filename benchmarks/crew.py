"""Processes that claim at once, with one connection each."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

from django.db import OperationalError, connections

_fork = multiprocessing.get_context("fork")

Acts = Mapping[str, Callable[[], object]]


class Work(NamedTuple):
    """What a crew did: acts a second, how many there were, and how many found the database busy."""

    rate: float
    done: int
    busy: int


class Crew:
    """Processes waiting for orders."""

    def __init__(self, pipes: list[Connection]) -> None:
        self._pipes = pipes

    def do(self, act: str, seconds: float) -> Work:
        """Everybody repeats the act for so many seconds."""
        for pipe in self._pipes:
            pipe.send((act, seconds))
        works = [Work(*pipe.recv()) for pipe in self._pipes]
        rates, done, busy = zip(*works, strict=True)
        return Work(sum(rates), sum(done), sum(busy))


@contextmanager
def crew(size: int, acts: Acts) -> Iterator[Crew]:
    """So many forked processes that know the acts, gone afterwards."""
    connections.close_all()  # a connection must not be shared
    start = _fork.Barrier(size, timeout=60)
    pairs = [_fork.Pipe() for _ in range(size)]
    workers = [
        _fork.Process(target=_work, args=(theirs, start, acts), daemon=True) for _, theirs in pairs
    ]
    for worker in workers:
        worker.start()
    for _, theirs in pairs:
        theirs.close()  # so that a worker's end is heard
    try:
        yield Crew([ours for ours, _ in pairs])
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _work(orders: Connection, start: Barrier, acts: Acts) -> None:
    while True:
        act, seconds = orders.recv()
        start.wait()
        orders.send(_repeat(acts[act], seconds))


def _repeat(act: Callable[[], object], seconds: float) -> Work:
    done = busy = 0
    started = now = time.perf_counter()
    while now - started < seconds:
        try:
            act()
        except OperationalError:
            busy += 1
        done += 1
        now = time.perf_counter()
    return Work(done / (now - started), done, busy)
