"""Reading the published ledger: `analytics.open(data_dir)` for Python, `analytics.query` for the command line."""

from analytics.ledger import open_ledger as open

__all__ = ["open"]
