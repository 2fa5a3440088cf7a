"""What must be fair: bytes and integers, no Django and no clock, so that anyone can compute it again."""
