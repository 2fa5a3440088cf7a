"""Guards: rows that may not change and states that may not go back, held by the database.

Inserting tickets has no row trigger, because it would cost a claim 11 to 20 %: there the gate, the
unique slot and the count at the seal hold.
"""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_HAS_TICKETS = "EXISTS (SELECT 1 FROM raffles_stripe s WHERE s.raffle_id = {}.id AND s.issued > 0)"
_POOL_IN_USE = (
    "EXISTS (SELECT 1 FROM raffles_stripe s WHERE s.raffle_id = {0}.raffle_id AND s.issued > 0) OR "
    "EXISTS (SELECT 1 FROM raffles_raffle r WHERE r.id = {0}.raffle_id AND r.state <> 'open')"
)
_LIVE = "SELECT 1 FROM raffles_draw d WHERE d.raffle_id = NEW.id AND d.voided_at IS NULL"
_TICKET_GONE = "NEW.{0} IS NOT NULL AND NEW.{0} IS DISTINCT FROM OLD.{0}"

GUARDS = (
    # A raffle
    Guard(
        "raffle_moves_forward",
        "raffles_raffle",
        "UPDATE",
        when="NEW.state <> OLD.state AND (OLD.state || ' ' || NEW.state) NOT IN ("
        "'open closed', 'open void', 'closed sealed', 'closed void', "
        "'sealed drawn', 'sealed void')",
    ),
    Guard(
        "raffle_sealed_has_draw",
        "raffles_raffle",
        "UPDATE",
        when="NEW.state = 'sealed' AND OLD.state <> 'sealed'",
        also=f"NOT EXISTS ({_LIVE})",
    ),
    Guard(
        "raffle_drawn_has_randomness",
        "raffles_raffle",
        "UPDATE",
        when="NEW.state = 'drawn' AND OLD.state <> 'drawn'",
        also=f"NOT EXISTS ({_LIVE} AND d.drawn_at IS NOT NULL)",
    ),
    Guard(
        "raffle_shuts_its_gate",
        "raffles_raffle",
        "UPDATE",
        when="NEW.state <> 'open' AND OLD.state = 'open'",
        also="EXISTS (SELECT 1 FROM raffles_stripe s "
        "WHERE s.raffle_id = NEW.id AND s.issued < s.cap)",
    ),
    Guard("raffle_starts_open", "raffles_raffle", "INSERT", when="NEW.state <> 'open'"),
    Guard(
        "raffle_identity_fixed",
        "raffles_raffle",
        "UPDATE",
        when=changed("id", "uuid", "total_tickets", "numbering_key", "ticket_key_id", "created_at"),
    ),
    Guard(
        "raffle_terms_frozen",
        "raffles_raffle",
        "UPDATE",
        when=changed("name", "alternates", "entropy", "closes_at"),
        also=f"OLD.state <> 'open' OR {_HAS_TICKETS.format('NEW')}",
    ),
    Guard(
        "raffle_finished_unchangeable",
        "raffles_raffle",
        "UPDATE",
        when="OLD.state IN ('drawn', 'void')",
    ),
    # Its prizes
    Guard(
        "prizes_within_tickets",
        "raffles_prize",
        "INSERT",
        also="NEW.amount + (SELECT COALESCE(SUM(p.amount), 0) FROM raffles_prize p "
        "WHERE p.raffle_id = NEW.raffle_id) > "
        "(SELECT r.total_tickets FROM raffles_raffle r WHERE r.id = NEW.raffle_id)",
    ),
    Guard(
        "prizes_still_within_tickets",
        "raffles_prize",
        "UPDATE",
        also="NEW.amount + (SELECT COALESCE(SUM(p.amount), 0) FROM raffles_prize p "
        "WHERE p.raffle_id = NEW.raffle_id AND p.id <> NEW.id) > "
        "(SELECT r.total_tickets FROM raffles_raffle r WHERE r.id = NEW.raffle_id)",
    ),
    Guard("prizes_frozen_insert", "raffles_prize", "INSERT", also=_POOL_IN_USE.format("NEW")),
    Guard("prizes_frozen", "raffles_prize", "UPDATE", also=_POOL_IN_USE.format("OLD")),
    Guard("prizes_frozen_delete", "raffles_prize", "DELETE", also=_POOL_IN_USE.format("OLD")),
    # Its pool
    Guard(
        "stripe_gate_only_shuts",
        "raffles_stripe",
        "UPDATE",
        when="NEW.cap > OLD.cap OR NEW.issued < OLD.issued OR NEW.lo <> OLD.lo "
        "OR NEW.raffle_id <> OLD.raffle_id OR NEW.stripe <> OLD.stripe",
    ),
    Guard("stripe_kept", "raffles_stripe", "DELETE", when="OLD.issued > 0"),
    Guard(
        "ticket_unchangeable",
        "raffles_ticket",
        "UPDATE",
        when=f"{changed('id', 'raffle_id', 'slot', 'issued_at')} "
        f"OR ({_TICKET_GONE.format('holder_tag')}) OR ({_TICKET_GONE.format('code_tag')}) "
        f"OR ({_TICKET_GONE.format('request_tag')}) "
        "OR (OLD.leaf_hash IS NOT NULL AND NEW.leaf_hash IS DISTINCT FROM OLD.leaf_hash)",
    ),
    Guard("ticket_kept", "raffles_ticket", "DELETE"),
    Guard("pool_unchangeable", "raffles_pool", "UPDATE"),
    Guard("pool_kept", "raffles_pool", "DELETE"),
    # Its draws
    Guard(
        "draw_seal_unchangeable",
        "raffles_draw",
        "UPDATE",
        when=changed(
            *("id", "raffle_id", "number", "prev", "closed_at", "round"),
            *("commitment_hash", "signed_at", "key_id", "signature"),
        ),
    ),
    Guard(
        "draw_finished_unchangeable",
        "raffles_draw",
        "UPDATE",
        when="OLD.drawn_at IS NOT NULL OR OLD.voided_at IS NOT NULL",
    ),
    Guard("draw_kept", "raffles_draw", "DELETE"),
    Guard("winner_unchangeable", "raffles_winner", "UPDATE"),
    Guard("winner_kept", "raffles_winner", "DELETE"),
    Guard("replacement_unchangeable", "raffles_replacement", "UPDATE"),
    Guard("replacement_kept", "raffles_replacement", "DELETE"),
    Guard("announcement_unchangeable", "raffles_announcement", "UPDATE"),
    Guard("announcement_kept", "raffles_announcement", "DELETE"),
)

# Winners come a hundred thousand at a time: a row trigger would cost the COPY 77 %, one look at all
# new rows costs 28 %, and the composite foreign key replaces one that would be there anyway.
_POSTGRESQL_MAKE = """
    ALTER TABLE raffles_winner ADD CONSTRAINT winner_is_ticket_of_raffle
        FOREIGN KEY (raffle_id, slot) REFERENCES raffles_ticket (raffle_id, slot);
    CREATE FUNCTION winners_before_drawn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT 1 FROM raffles_raffle r WHERE r.state <> 'sealed'
                   AND r.id IN (SELECT DISTINCT n.raffle_id FROM new_rows n)) THEN
            RAISE EXCEPTION 'winners_before_drawn' USING ERRCODE = 'check_violation',
                CONSTRAINT = 'winners_before_drawn', TABLE = 'raffles_winner';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER winners_before_drawn AFTER INSERT ON raffles_winner
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION winners_before_drawn();
    ALTER TABLE raffles_stripe SET (fillfactor = 20);
    ALTER TABLE raffles_pool ALTER levels SET STORAGE EXTERNAL;
"""
_POSTGRESQL_DROP = """
    DROP TRIGGER winners_before_drawn ON raffles_winner;
    DROP FUNCTION winners_before_drawn();
    ALTER TABLE raffles_winner DROP CONSTRAINT winner_is_ticket_of_raffle;
    ALTER TABLE raffles_stripe RESET (fillfactor);
    ALTER TABLE raffles_pool ALTER levels SET STORAGE EXTENDED;
"""
_SQLITE_INSTEAD = (
    Guard(
        "winner_is_ticket_of_raffle",
        "raffles_winner",
        "INSERT",
        also="NOT EXISTS (SELECT 1 FROM raffles_ticket t "
        "WHERE t.raffle_id = NEW.raffle_id AND t.slot = NEW.slot)",
    ),
    Guard(
        "winners_before_drawn",
        "raffles_winner",
        "INSERT",
        also="EXISTS (SELECT 1 FROM raffles_raffle r "
        "WHERE r.id = NEW.raffle_id AND r.state <> 'sealed')",
    ),
)


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the guards."""
    make_guards(editor, GUARDS)
    if editor.connection.vendor == "postgresql":
        editor.execute(_POSTGRESQL_MAKE)
    else:
        make_guards(editor, _SQLITE_INSTEAD)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove what `make` created."""
    drop_guards(editor, GUARDS)
    if editor.connection.vendor == "postgresql":
        editor.execute(_POSTGRESQL_DROP)
    else:
        drop_guards(editor, _SQLITE_INSTEAD)


class Migration(migrations.Migration):
    """Triggers on both engines; on PostgreSQL also the composite key of winners."""

    dependencies = [("raffles", "0001_initial")]
    operations = [migrations.RunPython(make, drop)]
