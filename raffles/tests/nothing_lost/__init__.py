"""Nothing is lost, doubled or changed: races, kills, and a ledger against the database."""
