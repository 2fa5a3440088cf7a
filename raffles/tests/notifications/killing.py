"""Processes that die with SIGKILL at their n-th statement, commit or send."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from django.core.mail.backends.smtp import EmailBackend
from django.db import connection, connections

from raffles.notifications.delivery import deliver
from raffles.notifications.outbox import spread
from raffles.tests.factories import NOW
from raffles.web.outgoing import Connection


class Point:
    """Counts what happens, on any thread; at the n-th the process is gone."""

    def __init__(self, last: int) -> None:
        self._left, self._lock = last, threading.Lock()

    def pass_by(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.pass_by()
            answer = act(*args, **kwargs)
            self.pass_by()
            return answer

        return watched

    def install(self) -> None:
        """Count each statement, commit and send of this process, which is to die."""
        connection.execute_wrappers.append(lambda execute, *args: self.around(execute)(*args))
        for owner, name in (
            (connection, "commit"),
            (Connection, "ask"),
            (EmailBackend, "send_messages"),
        ):
            setattr(owner, name, self.around(getattr(owner, name)))


def in_a_process_of_its_own(act: Callable[[], object]) -> bool:
    """Run `act` in a child process; return whether it ended, False if it was killed."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001 - a child must not go on as the parent
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return not os.WIFSIGNALED(status)


def run_until(last: int, mutate: Callable[[], None]) -> bool:
    """Run once, to die at the `last` point; return True if it ended before that."""

    def run() -> None:
        mutate()
        Point(last).install()
        spread(now=NOW)
        deliver(clock=lambda: NOW)

    return in_a_process_of_its_own(run)
