"""What a demo checks in the ledger that it leaves: also one in which others have traded."""

from __future__ import annotations

import duckdb

from services.demo.checks import _AGREES

TABLES = """
CREATE TABLE accounts (market VARCHAR, account_id VARCHAR, name VARCHAR, balance_ucr BIGINT, is_bank BOOLEAN);
CREATE TABLE transfers
    (market VARCHAR, debit_id VARCHAR, credit_id VARCHAR, agent VARCHAR, reason VARCHAR, amount_ucr BIGINT);
CREATE VIEW attribution AS
SELECT market, agent, amount_ucr AS credits FROM transfers WHERE reason NOT IN ('ISSUE', 'TRANSFER');
INSERT INTO transfers VALUES ('m', 'bank', 'a', NULL, 'ISSUE', 100), ('m', 'a', 's', 'ann', 'AWARD', 30),
    ('m', 's', 'b', NULL, 'TRANSFER', 5), ('other', 'bank', 'a', NULL, 'ISSUE', 7);
INSERT INTO accounts VALUES ('m', 'bank', 'bank', -100, true), ('m', 'a', 'ann', 70, false),
    ('m', 's', 'seller', 25, false), ('m', 'b', 'bob', 5, false), ('other', 'a', 'ann', 7, false);
"""


def agrees(more: str = "") -> object:
    """(accounts, those that differ, spent) of a small market."""
    with duckdb.connect() as connection:
        connection.execute(TABLES + more)
        return connection.execute(_AGREES, {"market": "m"}).fetchone()


def test_sellers_and_transfers_are_no_difference() -> None:
    """Whoever sold something, or was given credits by the bank, has them; what was spent is ann's alone."""
    assert agrees() == (3, 0, 30)


def test_a_payment_that_left_no_balance_is_one() -> None:
    """A payment without its change of the balance is seen on both sides."""
    assert agrees("INSERT INTO transfers VALUES ('m', 'b', 's', 'bob', 'AWARD', 1);") == (3, 2, 31)
