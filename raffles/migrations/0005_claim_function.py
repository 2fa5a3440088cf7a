"""Claiming as a database function: PostgreSQL plans it once a connection, not once a claim.

Three passes: from a random stripe, from the first, and from the first waiting for locks. Only the
last one's emptiness means that nothing is left, since SKIP LOCKED alone says so falsely while the
last ticket is held by a transaction that then aborts. A pass that finds nothing holds no lock.
"""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_TRY = """
    UPDATE raffles_stripe AS moved SET issued = moved.issued + 1
    WHERE moved.raffle_id = pool AND moved.stripe = (
        SELECT free.stripe FROM raffles_stripe AS free
        WHERE free.raffle_id = pool AND free.issued < free.cap AND free.stripe >= {start}
        ORDER BY free.raffle_id, free.stripe LIMIT 1 FOR UPDATE {wait})
    RETURNING moved.lo + moved.issued - 1 INTO claimed;
"""
_MAKE = f"""
    CREATE FUNCTION raffles_claim(
        pool bigint, start integer, holder bytea, code bytea, request bytea,
        at timestamp with time zone, name varchar, ordered bytea, address bytea
    ) RETURNS integer LANGUAGE plpgsql AS $$
    DECLARE claimed integer;
    BEGIN
        {_TRY.format(start="start", wait="SKIP LOCKED")}
        IF NOT FOUND THEN
            {_TRY.format(start="0", wait="SKIP LOCKED")}
        END IF;
        IF NOT FOUND THEN
            {_TRY.format(start="0", wait="")}
        END IF;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        INSERT INTO raffles_ticket (raffle_id, slot, holder_tag, code_tag, request_tag, issued_at,
            username, order_tag, address_tag)
        VALUES (pool, claimed, holder, code, request, at, name, ordered, address);
        RETURN claimed;
    END $$;
"""  # noqa: S608 - no value in the text


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the function; SQLite needs none."""
    if editor.connection.vendor == "postgresql":
        editor.execute(_MAKE)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove it."""
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION raffles_claim")


class Migration(migrations.Migration):
    """Every column of a ticket is there."""

    dependencies = [("raffles", "0004_announcing")]
    operations = [migrations.RunPython(make, drop)]
