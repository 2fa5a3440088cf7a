"""Witnesses of logs: those of ours (`ours`), and what we do as one of others (`being_one`)."""
