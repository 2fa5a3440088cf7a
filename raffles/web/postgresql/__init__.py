"""PostgreSQL as Django has it, but for cursors that a pooler of connections would lose."""
