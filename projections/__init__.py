"""The projection: the ledger topic as DuckDB tables, readable while it runs. Overview: projector.py."""
