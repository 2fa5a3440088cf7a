"""A claim asks inside its function whether the database is the one that was looked at.

In the statement that calls the function, which is planned anew for each claim, the same question
takes several times as long.
"""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# `imprint` is that of `lineage.IMPRINT`, `reached` a position as of `marks.Claimed`. A server that only
# reads has neither; the claim itself says so. `written` is NULL in another database, where nothing is
# done; else it is the position in the log once the ticket is in it.
_CLAIM = """
    CREATE FUNCTION raffles_claim_here(
        imprint text, reached numeric,
        pool bigint, raffle uuid, start integer, holder bytea, code bytea, request bytea,
        at timestamp with time zone, name varchar, ordered bytea, address bytea,
        which integer, way varchar, excluded bytea[],
        OUT claimed integer, OUT issued timestamp with time zone, OUT written pg_lsn
    ) LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT pg_is_in_recovery() AND (
            pg_current_wal_insert_lsn() - '0/0' < reached
            OR imprint IS DISTINCT FROM pg_relation_filepath('raffles_lineage') || ' '
                || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))
        THEN
            RETURN;
        END IF;
        SELECT got.claimed, got.issued INTO claimed, issued FROM raffles_claim(
            pool, raffle, start, holder, code, request, at, name, ordered, address, which, way,
            excluded) AS got;
        written := pg_current_wal_insert_lsn();
    END $$;
"""


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(_CLAIM)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION raffles_claim_here")


class Migration(migrations.Migration):
    dependencies = [("raffles", "0030_lineage_unbroken")]

    operations = [migrations.RunPython(make, drop)]
