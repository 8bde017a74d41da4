"""Exports: the topics of a market as files that outlive its broker (docs/export.md)."""
