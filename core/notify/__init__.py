"""Notifications: the ledger's events become messages, kept in an outbox until a channel took them."""
