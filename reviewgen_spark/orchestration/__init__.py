"""Runs stages over batches: backlog, ledger, lease, session, and the artifacts that stages make."""
