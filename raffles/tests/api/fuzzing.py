"""Schemathesis over the published schema, in a world where every answer can be reached.

The engine runs its phases (coverage, fuzzing, stateful) with all checks through WSGI. `World`
gives generated requests a caller and, often enough, a raffle in a state where they can succeed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import schemathesis
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.utils import timezone
from schemathesis import Case as AnyCase
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import from_schema
from schemathesis.engine.events import NonFatalError, ScenarioFinished
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import HookContext
from schemathesis.openapi.checks import RejectedPositiveData

from raffles.domain.refusals import Refusal
from raffles.models import State, Winner
from raffles.tests.api.acting import MANAGER, holder
from raffles.tests.factories import RaffleFactory, enter_nth, take_to

# A request may be right and refused all the same, for the state of the raffle it names ...
_REFUSALS = {"not_found", "managers_only"}
for _refusal in (family := [Refusal]):
    family += _refusal.__subclasses__()
    _REFUSALS.add(getattr(_refusal, "code", ""))
# ... and JSON Schema has no word for what people can read, nor for whom another request excluded
# or entered, nor for how many tickets a raffle lets them have, nor for a list that names one twice.
_UNSAID = {
    "Control, bidirectional and zero-width characters are not allowed.",
    "At least one visible character is needed.",
    "The address holds a NUL character.",
    "There is no such time, in UTC, in the years 1970 to 9000.",
    "Null characters are not allowed.",
    "taking part is not possible for this holder",
    "this holder has a ticket already",
    "at most 1 for a holder",
    *(f"the same holder as line {line}" for line in range(1, 1_000)),
}
Case = AnyCase[Any]
# Calendars, time zones, addresses of pictures and identities are more than their shape.
_MORE_THAN_SHAPE = {
    "POST /raffles/",
    "POST /events/",
    "PATCH /events/{slug}/",
    "PUT /events/{slug}/rewards/{day}/",
    "POST /exclusions/",
}
_HELPED = 4  # every fourth request gets what it needs to succeed


@dataclass
class Campaign:
    """What came of a run."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)  # by operation and status
    failures: dict[str, str] = field(default_factory=dict)  # how to repeat it, by what it is
    undocumented: set[tuple[str, int]] = field(default_factory=set)

    def note(self, recorder: ScenarioRecorder) -> None:
        """Count the answers of a scenario and keep its failures."""
        for case_id, interaction in recorder.interactions.items():
            if (response := interaction.response) is None:
                continue
            case = recorder.cases[case_id].value
            # A method that a path does not have is no operation of the schema.
            if response.status_code != 405:
                self.answers[case.operation.label, response.status_code] += 1
        for checks in recorder.checks.values():
            for check in checks:
                if info := check.failure_info:
                    what = f"{recorder.label}: {info.failure.title}: {info.failure.message}"
                    self.failures[what] = info.code_sample


class World:
    """Raffles in every state, and a WSGI application that many callers call."""

    def __init__(self) -> None:
        now = timezone.now()
        soon = now + timedelta(days=1)
        self.open = RaffleFactory.create(total_tickets=1_000_000, now=now)
        self.drawn = RaffleFactory.create(total_tickets=40, alternates=30)
        self.entries = [enter_nth(self.drawn, n) for n in range(40)]
        take_to(State.DRAWN, self.drawn)
        raffles = [
            self.open,
            self.drawn,
            RaffleFactory.create(tickets=3, now=now),
            RaffleFactory.create(closes_at=soon, tickets=1, now=now),
            RaffleFactory.create(entropy="drand", closes_at=soon, now=now),
            RaffleFactory.create(state=State.DRAWN),
            RaffleFactory.create(state=State.SEALED, entropy="drand", now=now),
            RaffleFactory.create(state=State.VOID),
        ]
        self.places: list[str | None] = [*(str(raffle.uuid) for raffle in raffles), None]
        self._application = get_wsgi_application()
        self._callers = _callers()
        self._caller: str | None = None
        self._turn = 0

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the site does, to one caller after the other."""
        environ["REMOTE_ADDR"] = self._caller or next(self._callers)
        self._caller = None
        try:
            return list(self._application(environ, start_response))
        finally:
            # The engine's threads come and go, and would leave their connections behind.
            connection.close()

    def place(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Let most generated ids name one of the raffles; what is no id stays what it is."""
        try:
            number = UUID(parameters["raffle_id"]).int
        except (KeyError, TypeError, ValueError, AttributeError):
            return parameters
        place = self.places[number % len(self.places)]
        if isinstance(ticket := parameters.get("ticket_number"), int):
            parameters = parameters | {"ticket_number": ticket % 5}
        return parameters | {"raffle_id": place} if place else parameters

    def help(self, case: Case) -> None:
        """Give every fourth valid POST to a raffle what it needs to succeed."""
        meta = case.meta
        if case.method != "POST" or meta is None or not meta.generation.mode.is_positive:
            return
        self._turn += 1
        *_, act, _ = case.operation.path.split("/")
        if self._turn % _HELPED == 0 and (
            prepare := getattr(self, f"_{act.replace('-', '_')}", None)
        ):
            case.path_parameters["raffle_id"] = str(prepare(case))

    def _participate(self, _case: Case) -> UUID:
        return UUID(str(self.open.uuid))

    def _winners(self, _case: Case) -> UUID:
        self._caller = MANAGER
        now = timezone.now()
        entropy = "drand" if self._turn % (2 * _HELPED) else "system"
        return UUID(str(RaffleFactory.create(tickets=3, entropy=entropy, now=now).uuid))

    def _void(self, _case: Case) -> UUID:
        self._caller = MANAGER
        return UUID(str(RaffleFactory.create(now=timezone.now()).uuid))

    def _verify_ticket(self, case: Case) -> UUID:
        entry = self.entries[self._turn % len(self.entries)]
        case.body = {
            "ticket_number": entry.ticket_number,
            "verification_code": entry.verification_code,
        }
        return UUID(str(self.drawn.uuid))

    def _replacements(self, case: Case) -> UUID:
        self._caller = MANAGER
        winners = Winner.objects.with_state().filter(raffle=self.drawn)
        number = next(winner.ticket_number() for winner in winners if winner.current_prize())
        case.body = {"ticket_number": number, "reason": "Did not come"}
        return UUID(str(self.drawn.uuid))


def _callers() -> Iterator[str]:
    """Yield the manager, somebody new and a regular in turn."""
    for number in count():
        somebody = f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
        yield from (MANAGER, somebody, holder(number % 3))


def is_honest(failure: Failure, case: Case, response: Response) -> bool:
    """Say whether a failed check rests on what no schema could have told."""
    if response.status_code == 413:
        return True  # too much to be looked at
    if not isinstance(failure, RejectedPositiveData):
        return False
    problem = response.json()
    sentences = {sentence for said in problem.get("errors", {}).values() for sentence in said}
    return (
        problem["code"] in _REFUSALS
        or case.operation.label in _MORE_THAN_SHAPE
        or (sentences or {problem["detail"]}) <= _UNSAID
    )


def run(world: World, *, max_examples: int, seed: int) -> Campaign:
    """Run every phase with all checks, `max_examples` for each operation and phase."""
    project = ProjectConfig(
        generation=GenerationConfig(max_examples=max_examples, allow_extra_parameters=False)
    )
    config = SchemathesisConfig(seed=seed, projects=ProjectsConfig(default=project))
    schema = schemathesis.openapi.from_wsgi("/api/schema/", world, config=config)

    @schema.hook
    def map_path_parameters(context: HookContext, path_parameters: dict[str, Any]) -> Any:
        return world.place(path_parameters)

    @schema.hook
    def map_case(context: HookContext, case: Case) -> Case:
        world.help(case)
        return case

    @schema.hook
    def filter_failure(
        context: HookContext, failure: Failure, case: Case, response: Response
    ) -> bool:
        return not is_honest(failure, case, response)

    campaign = Campaign()
    for event in from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            campaign.failures[event.label] = str(event.value)
        elif isinstance(event, ScenarioFinished):
            campaign.note(event.recorder)
    campaign.undocumented = campaign.answers.keys() - _documented(schema.raw_schema["paths"])
    return campaign


def _documented(paths: dict[str, Any]) -> set[tuple[str, int]]:
    return {
        (f"{method.upper()} {path}", int(status))
        for path, operations in paths.items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }
