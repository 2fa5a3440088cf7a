"""The fair part of a raffle: pure functions of bytes and integers, without database and clock."""
