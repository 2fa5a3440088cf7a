"""What version 1.0 has the database hold: rows that may not change, states that may not go back.

Inserting tickets has no row trigger, because it would cost a claim 11 to 20 %: there the gate, the
unique slot and the count at the seal hold.
"""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_NAMED = 100  # winners at the most that an announcement names
_HAS_TICKETS = "EXISTS (SELECT 1 FROM raffles_stripe s WHERE s.raffle_id = NEW.id AND s.issued > 0)"
_POOL_IN_USE = (
    "EXISTS (SELECT 1 FROM raffles_stripe s WHERE s.raffle_id = {0}.raffle_id AND s.issued > 0) OR "
    "EXISTS (SELECT 1 FROM raffles_raffle r WHERE r.id = {0}.raffle_id AND r.state <> 'open')"
)
_LIVE = "SELECT 1 FROM raffles_draw d WHERE d.raffle_id = NEW.id AND d.voided_at IS NULL"
_GONE = "NEW.{0} IS NOT NULL AND NEW.{0} IS DISTINCT FROM OLD.{0}"
_MOVED = "(OLD.{0} IS NOT NULL AND NEW.{0} IS DISTINCT FROM OLD.{0})"
_HANDED = (
    "(OLD.handed_over_at IS NOT NULL AND NEW.handed_over_at IS NOT NULL "
    "AND NEW.handed_over_at <> OLD.handed_over_at)"
)
# A deadline may be extended until somebody claims.
_SHORTENED = (
    "(NEW.claim_until IS DISTINCT FROM OLD.claim_until AND NOT COALESCE("
    "NEW.claim_until > OLD.claim_until AND OLD.claimed_at IS NULL AND OLD.forfeited_at IS NULL, "
    "FALSE))"
)


def _announcement(vendor: str) -> Guard:
    """What was announced stays as it is, but for the names of winners, which can be taken out."""
    fixed = changed(
        *("id", "sequence", "kind", "statement", "raffle_id", "announced_at", "announced_by")
    )
    if vendor == "postgresql":
        paths = (f"ARRAY['winners', '{n}', 'username']" for n in range(_NAMED))
        without = " #- ".join(["{}.payload", *paths])
        # Contained, so that a name can go and none can come.
        is_kept = "OLD.payload @> NEW.payload"
    else:
        names = ", ".join(f"'$.winners[{n}].username'" for n in range(_NAMED))
        without = f"json_remove({{}}.payload, {names})"
        is_kept = "length(NEW.payload) <= length(OLD.payload)"
    is_same = f"({without.format('NEW')}) = ({without.format('OLD')})"
    return Guard(
        "announcement_unchangeable",
        "raffles_announcement",
        "UPDATE",
        when=f"{fixed} OR NOT ({is_kept} AND {is_same})",
    )


def _guards(vendor: str) -> tuple[Guard, ...]:
    return (
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
            when=changed(
                *("id", "uuid", "total_tickets", "numbering_key", "ticket_key_id", "created_at")
            ),
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
        Guard("ticket_kept", "raffles_ticket", "DELETE"),
        Guard("pool_unchangeable", "raffles_pool", "UPDATE"),
        Guard("pool_kept", "raffles_pool", "DELETE"),
        # Its winners
        Guard("winner_unchangeable", "raffles_winner", "UPDATE"),
        Guard("winner_kept", "raffles_winner", "DELETE"),
        Guard("replacement_unchangeable", "raffles_replacement", "UPDATE"),
        Guard("replacement_kept", "raffles_replacement", "DELETE"),
        Guard("announcement_kept", "raffles_announcement", "DELETE"),
        *(() if vendor == "postgresql" else _OF_WINNERS_ON_SQLITE),
        Guard("raffle_series_fixed", "raffles_raffle", "UPDATE", when=changed("event_slug")),
        Guard(
            "ticket_entrant_unchangeable",
            "raffles_ticket",
            "UPDATE",
            when=f"({_GONE.format('username')}) OR ({_GONE.format('address_tag')})"
            f" OR {changed('order_tag')}",
        ),
        Guard(
            "raffle_claim_terms_frozen",
            "raffles_raffle",
            "UPDATE",
            when=changed("claim_days", "claim_place", "promotes_alternates"),
            also=f"OLD.state <> 'open' OR {_HAS_TICKETS}",
        ),
        Guard("handover_kept", "raffles_handover", "DELETE"),
        Guard("act_unchangeable", "raffles_act", "UPDATE"),
        Guard("act_kept", "raffles_act", "DELETE"),
        # Its draw
        Guard(
            "draw_seal_unchangeable",
            "raffles_draw",
            "UPDATE",
            when=changed(
                *("id", "raffle_id", "closed_at", "round", "commitment_hash"),
                *("public_key", "signature", "statement"),
            ),
        ),
        Guard(
            "draw_finished_unchangeable",
            "raffles_draw",
            "UPDATE",
            when="OLD.drawn_at IS NOT NULL OR OLD.voided_at IS NOT NULL",
        ),
        Guard("draw_kept", "raffles_draw", "DELETE"),
        _announcement(vendor),
        Guard("log_node_unchangeable", "raffles_lognode", "UPDATE"),
        Guard("log_node_kept", "raffles_lognode", "DELETE"),
        # Witnesses
        Guard("witness_answer_unchangeable", "raffles_witnessanswer", "UPDATE"),
        Guard("witness_answer_kept", "raffles_witnessanswer", "DELETE"),
        Guard(
            "witnessed_log_never_back",
            "raffles_witnessedlog",
            "UPDATE",
            when="NEW.size < OLD.size"
            f" OR (NEW.size = OLD.size AND ({changed('root')}))"
            f" OR {changed('origin')}"
            f" OR (OLD.refused_at IS NOT NULL AND ({changed('refused_at', 'flaw')}))",
        ),
        Guard("witnessed_log_kept", "raffles_witnessedlog", "DELETE"),
        # What becomes of prizes
        Guard(
            "handover_unchangeable",
            "raffles_handover",
            "UPDATE",
            when=" OR ".join(
                [
                    *(changed("id", "winner_id"), _SHORTENED, _HANDED),
                    *map(_MOVED.format, ("notified_at", "claimed_at", "forfeited_at")),
                ]
            ),
        ),
        # Terms and tickets
        Guard(
            "raffle_terms_frozen",
            "raffles_raffle",
            "UPDATE",
            when=changed(
                *("name", "alternates", "entropy", "closes_at", "operator", "entry", "witnesses"),
                *("tickets_per_holder", "max_wins_per_holder", "opens_at", "rules_hash"),
            ),
            also=f"OLD.state <> 'open' OR {_HAS_TICKETS}",
        ),
        # All but `privacy`: how much of its winners' names is shown may change.
        Guard(
            "raffle_finished_unchangeable",
            "raffles_raffle",
            "UPDATE",
            when="OLD.state IN ('drawn', 'void') AND ("
            + changed(
                *("id", "uuid", "name", "total_tickets", "alternates", "entropy", "closes_at"),
                *("time_zone", "claim_days", "claim_place", "promotes_alternates", "event_slug"),
                *("operator", "entry", "witnesses"),
                *("tickets_per_holder", "max_wins_per_holder", "opens_at", "rules_hash"),
                *("state", "numbering_key", "ticket_key_id", "created_at", "created_by"),
                *("request_tag", "request_digest", "voided_at", "void_reason"),
            )
            + ")",
        ),
        Guard(
            "ticket_unchangeable",
            "raffles_ticket",
            "UPDATE",
            when=f"{changed('id', 'raffle_id', 'slot', 'issued_at', 'nth', 'channel')} "
            f"OR ({_GONE.format('holder_tag')}) OR ({_GONE.format('code_tag')}) "
            f"OR ({_GONE.format('request_tag')}) "
            "OR (OLD.leaf_hash IS NOT NULL AND NEW.leaf_hash IS DISTINCT FROM OLD.leaf_hash)",
        ),
        Guard("skipped_unchangeable", "raffles_skippedentry", "UPDATE"),
        Guard("skipped_kept", "raffles_skippedentry", "DELETE"),
        Guard(
            "skipped_before_drawn",
            "raffles_skippedentry",
            "INSERT",
            also="EXISTS (SELECT 1 FROM raffles_raffle r "
            "WHERE r.id = NEW.raffle_id AND r.state <> 'sealed')",
        ),
        Guard(
            "invitation_used_or_withdrawn_stays",
            "raffles_invitation",
            "UPDATE",
            when="OLD.used_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL",
        ),
        Guard("rules_unchangeable", "raffles_rules", "UPDATE"),
        Guard("rules_kept", "raffles_rules", "DELETE"),
    )


# Winners come a hundred thousand at a time: a row trigger would cost the COPY 77 %, one look at all
# new rows costs 28 %, and the composite foreign key replaces one that would be there anyway.
_OF_WINNERS_ON_SQLITE = (
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
_OF_WINNERS_ON_POSTGRESQL = """
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
"""
# The defaults let servers that know no such column go on, and stay as they were.
_STORAGE_ON_POSTGRESQL = """
    ALTER TABLE raffles_stripe SET (fillfactor = 20);
    ALTER TABLE raffles_pool ALTER levels SET STORAGE EXTERNAL;
    ALTER TABLE raffles_raffle ALTER privacy SET DEFAULT 'number', ALTER operator SET DEFAULT '',
        ALTER entry SET DEFAULT 'address', ALTER witnesses SET DEFAULT '{}';
"""

# A claim is a function, since PostgreSQL plans it once a connection, not once a claim. Three passes:
# from a random stripe, from the first, and from the first waiting for locks. Only the last one's
# emptiness means that nothing is left, since SKIP LOCKED alone says so falsely while the last ticket
# is held by a transaction that then aborts. A pass that finds nothing holds no lock.
# A primary key means another raffle in a database that was restored: hence the uuid. The text is as it
# was before the release to the last space, so that a dump of either database is the same.
_TRY = """
    UPDATE raffles_stripe AS moved SET issued = moved.issued + 1
    WHERE moved.raffle_id = pool AND EXISTS (
        SELECT 1 FROM raffles_raffle AS known WHERE known.id = pool AND known.uuid = raffle) AND moved.stripe = (
        SELECT free.stripe FROM raffles_stripe AS free
        WHERE free.raffle_id = pool AND free.issued < free.cap AND free.stripe >= {start}
        ORDER BY free.raffle_id, free.stripe LIMIT 1 FOR UPDATE {wait})
    RETURNING moved.lo + moved.issued - 1 INTO claimed;
"""
# Exclusions are looked for by the insertion, after every wait for a lock: one more statement would
# cost more.
_CLAIM = f"""
    CREATE FUNCTION raffles_claim(
        pool bigint, raffle uuid, start integer, holder bytea, code bytea, request bytea,
        at timestamp with time zone, name varchar, ordered bytea, address bytea,
        which integer, way varchar, excluded bytea[],
        OUT claimed integer, OUT issued timestamp with time zone
    ) LANGUAGE plpgsql AS $$
    BEGIN
        {_TRY.format(start="start", wait="SKIP LOCKED")}
        IF NOT FOUND THEN
            {_TRY.format(start="0", wait="SKIP LOCKED")}
        END IF;
        IF NOT FOUND THEN
            {_TRY.format(start="0", wait="")}
        END IF;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        issued := COALESCE(at, clock_timestamp());
        
        INSERT INTO raffles_ticket (raffle_id, slot, holder_tag, code_tag, request_tag, issued_at,
            username, order_tag, address_tag, nth, channel) SELECT pool, claimed, holder, code, request, issued, name, ordered, address, which, way WHERE NOT EXISTS (
            SELECT 1 FROM raffles_exclusion AS barred
            WHERE barred.tag = ANY(excluded) AND (barred.ends_at IS NULL OR barred.ends_at > issued)
                AND (barred.raffle_id IS NULL OR barred.raffle_id = pool)
                AND (barred.event_slug IS NULL OR barred.event_slug = (
                    SELECT known.event_slug FROM raffles_raffle AS known WHERE known.id = pool)));
        IF NOT FOUND THEN
            RAISE EXCEPTION 'ticket_not_excluded' USING ERRCODE = 'check_violation',
                CONSTRAINT = 'ticket_not_excluded', TABLE = 'raffles_ticket';
        END IF;
    
    END $$;
"""  # noqa: S608 - no value in the text


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the guards; on PostgreSQL the claim, too, and how rows are stored."""
    make_guards(editor, _guards(editor.connection.vendor))
    if editor.connection.vendor == "postgresql":
        for statements in (_OF_WINNERS_ON_POSTGRESQL, _STORAGE_ON_POSTGRESQL, _CLAIM):
            editor.execute(statements)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove what `make` created and would outlast its table."""
    drop_guards(editor, _guards(editor.connection.vendor))
    if editor.connection.vendor == "postgresql":
        editor.execute(
            "DROP TRIGGER winners_before_drawn ON raffles_winner;"
            "DROP FUNCTION winners_before_drawn(); DROP FUNCTION raffles_claim;"
            "ALTER TABLE raffles_winner DROP CONSTRAINT winner_is_ticket_of_raffle"
        )
