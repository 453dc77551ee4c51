"""Decisions, recorded for good: append-only events in a hash chain, and the state derived from them."""
