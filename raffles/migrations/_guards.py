"""Guards, for what a constraint cannot express: immutable rows, and states that never go back.

A guard is a row trigger, written once for PostgreSQL and SQLite; the migrations contain the guards
themselves. Its WHEN is cheap (measured: 1 % on a claim); `also` may read other rows and runs only
after it. SQLite gets no guard against deletions, since that would break `flush`: foreign keys
protect there, and `verify_draw` detects the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.db.backends.base.schema import BaseDatabaseSchemaEditor


@dataclass(frozen=True)
class Guard:
    """Refuses `event` on a row of `table` where `when` holds, and `also` if given.

    Both are SQL conditions on OLD and NEW; `also` may read other rows. `name` is the text of the
    integrity error.
    """

    name: str
    table: str
    event: Literal["INSERT", "UPDATE", "DELETE"]
    when: str = "1 = 1"
    also: str = ""

    def postgresql(self) -> tuple[str, str]:
        """Return the statements that create and that drop it."""
        row = "OLD" if self.event == "DELETE" else "NEW"
        refuse = (
            f"RAISE EXCEPTION '{self.name}' USING ERRCODE = 'check_violation', "
            f"CONSTRAINT = '{self.name}', TABLE = '{self.table}';"
        )
        body = f"IF {self.also} THEN {refuse} END IF; RETURN {row};" if self.also else refuse
        make = (
            f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $$ BEGIN {body} END $$;"
            f"CREATE TRIGGER {self.name} BEFORE {self.event} ON {self.table} "
            f"FOR EACH ROW WHEN ({self.when}) EXECUTE FUNCTION {self.name}();"
        )
        return make, f"DROP TRIGGER {self.name} ON {self.table}; DROP FUNCTION {self.name}();"

    def sqlite(self) -> tuple[str, str]:
        """Return the statements that create and that drop it; empty for a deletion."""
        if self.event == "DELETE":
            return "", ""
        condition = f"({self.when})" + (f" AND ({self.also})" if self.also else "")
        condition = condition.replace("IS DISTINCT FROM", "IS NOT")
        make = (
            f"CREATE TRIGGER {self.name} BEFORE {self.event} ON {self.table} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{self.name}'); END"
        )
        return make, f"DROP TRIGGER {self.name}"


def changed(*columns: str) -> str:
    """Return the condition that one of the columns changes."""
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


def make_guards(editor: BaseDatabaseSchemaEditor, guards: Iterable[Guard]) -> None:
    """Create the guards on the editor's database."""
    for guard in guards:
        if statement := getattr(guard, editor.connection.vendor)()[0]:
            editor.execute(statement)


def drop_guards(editor: BaseDatabaseSchemaEditor, guards: Iterable[Guard]) -> None:
    """Remove the guards again."""
    for guard in guards:
        if statement := getattr(guard, editor.connection.vendor)()[1]:
            editor.execute(statement)


def lift_triggers(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Put all triggers aside before tables are rebuilt on SQLite, until `put_back_triggers`.

    A rebuilt table loses its own, and while another's read it, it can't take its old name again.
    """
    if editor.connection.vendor != "sqlite":
        return
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE lifted AS SELECT name, sql FROM sqlite_master "
            "WHERE type = 'trigger'"
        )
        cursor.execute("SELECT name FROM lifted")
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TRIGGER "{name}"')


def put_back_triggers(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Make the lifted triggers again, as they were."""
    if editor.connection.vendor != "sqlite":
        return
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM lifted")
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
        cursor.execute("DROP TABLE lifted")
