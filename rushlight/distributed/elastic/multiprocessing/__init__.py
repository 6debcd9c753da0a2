"""Processes of `torchrun`; only `errors.record` is here."""
