"""The fair part of a raffle: pure functions of bytes and integers, no database, no clock."""
