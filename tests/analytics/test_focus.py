"""FOCUS 1.2: the view against the columns of the specification, and what is in the files.

The table below is that of FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, tag v1.2 (commit 7296e31), folder
specification/columns: feature level, whether nulls are allowed, data type, allowed values. docs/decisions/0106 says why
focus-validator is not run here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import analytics
from analytics.attribution import Asked, export
from contractnet.errors import QueryError

M, C, R = "Mandatory", "Conditional", "Recommended"
S, D, T, J = "String", "Decimal", "Date/Time", "JSON"
SPEC: dict[str, tuple[str, bool, str]] = {
    "BilledCost": (M, False, D),
    "BillingAccountId": (M, False, S),
    "BillingAccountName": (M, True, S),
    "BillingCurrency": (M, False, S),
    "BillingPeriodEnd": (M, False, T),
    "BillingPeriodStart": (M, False, T),
    "ChargeCategory": (M, False, S),
    "ChargeClass": (M, True, S),
    "ChargeDescription": (M, True, S),
    "ChargeFrequency": (R, False, S),
    "ChargePeriodEnd": (M, False, T),
    "ChargePeriodStart": (M, False, T),
    "ConsumedQuantity": (C, True, D),
    "ConsumedUnit": (C, True, S),
    "ContractedCost": (M, False, D),
    "EffectiveCost": (M, False, D),
    "InvoiceId": (R, True, S),
    "InvoiceIssuerName": (M, False, S),
    "ListCost": (M, False, D),
    "PricingCategory": (C, True, S),
    "PricingCurrency": (C, False, S),  # its table allows nulls, its text does not
    "PricingCurrencyEffectiveCost": (C, False, D),  # the same
    "PricingQuantity": (M, True, D),
    "PricingUnit": (M, True, S),
    "ProviderName": (M, False, S),
    "PublisherName": (M, False, S),
    "ResourceId": (C, True, S),
    "ResourceName": (C, True, S),
    "ResourceType": (C, True, S),
    "ServiceCategory": (M, False, S),
    "ServiceName": (M, False, S),
    "ServiceSubcategory": (R, False, S),
    "SubAccountId": (C, True, S),
    "SubAccountName": (C, True, S),
    "SubAccountType": (C, True, S),
    "Tags": (C, True, J),
}
"""All mandatory columns, and those of the others that are used."""
ALLOWED: dict[str, set[str | None]] = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction", None},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other", None},
    "ServiceCategory": {"Compute", "AI and Machine Learning", "Other"},
    "ServiceSubcategory": {"Other (Compute)", "Generative AI", "Other (Other)"},
}
MANDATORY = 21
"""Columns of this level in the specification."""
TYPES = {S: "VARCHAR", D: "DECIMAL", T: "TIMESTAMP", J: "VARCHAR"}
UNIT = re.compile(r"[A-Z][a-z]+s|Unit-Seconds")


@pytest.fixture
def ledger(spent: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the published market."""
    with analytics.open(spent) as connection:
        yield connection


def records(ledger: duckdb.DuckDBPyConnection, source: str = "focus_costs") -> list[dict[str, Any]]:
    """The rows as dictionaries."""
    cursor = ledger.execute(f"FROM {source}")
    names = [name for name, *_ in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_columns_are_those_of_the_specification(ledger: duckdb.DuckDBPyConnection) -> None:
    """Names, order (FOCUS's by name, then custom ones), types; every mandatory one is there."""
    found = {name: kind for name, kind, *_ in ledger.execute("DESCRIBE focus_costs").fetchall()}
    own = [name for name in found if name.startswith("x_")]
    assert list(found) == [*sorted(SPEC), *sorted(own)]
    assert all(kind.startswith(TYPES[SPEC[name][2]]) for name, kind in found.items() if name in SPEC)
    assert sum(level == M for level, *_ in SPEC.values()) == MANDATORY
    assert found["x_MicroCredits"] == "BIGINT"


def test_values_follow_the_specification(ledger: duckdb.DuckDBPyConnection) -> None:
    """Nulls, allowed values, and what a column demands of another."""
    rows = records(ledger, "focus_costs_in('EUR', 0.25)")
    assert len(rows) == 16
    for row in rows:
        for name, (_, nulls, _) in SPEC.items():
            assert nulls or row[name] is not None, name
        assert all(row[name] in values for name, values in ALLOWED.items())
        usage = row["ChargeCategory"] == "Usage"
        for name in ("PricingQuantity", "PricingUnit", "ConsumedQuantity", "ConsumedUnit", "PricingCategory"):
            assert (row[name] is not None) == usage, name
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert row["BillingPeriodStart"] <= row["x_PaidAt"] < row["BillingPeriodEnd"]
        assert (row["ResourceId"] is None) == (row["ResourceType"] is None) == (row["x_Reason"] == "FEE")
        assert not usage or all(UNIT.fullmatch(row[name]) for name in ("PricingUnit", "ConsumedUnit"))
        assert row["EffectiveCost"] == row["BilledCost"] == row["ListCost"] == row["ContractedCost"]


def test_costs_are_exact(ledger: duckdb.DuckDBPyConnection) -> None:
    """Credits are micro-credits over a million, costs so many times what a credit is worth; without that, 0."""
    rows = records(ledger, "focus_costs_in('EUR', 0.123457)")
    assert all(row["PricingCurrencyEffectiveCost"] == Decimal(row["x_MicroCredits"]).scaleb(-6) for row in rows)
    assert all(row["BilledCost"] == Decimal(row["x_MicroCredits"]).scaleb(-6) * Decimal("0.123457") for row in rows)
    assert sum(row["x_MicroCredits"] for row in rows) == 2687
    free = records(ledger)
    assert {(row["BilledCost"], row["BillingCurrency"]) for row in free} == {(Decimal(0), "USD")}
    large = "SELECT (10::BIGINT**15)::BIGINT AS credits"  # the largest posting, at the largest rate
    cost = ledger.execute(
        f"SELECT (credits::DECIMAL(19, 0) * 9999.999999::DECIMAL(10, 6) * 0.000001::DECIMAL(7, 6))"
        f"::DECIMAL(36, 12) FROM ({large})"
    ).fetchone()
    assert cost == (Decimal("9999999999000"),)


def test_quantities_by_hand(ledger: duckdb.DuckDBPyConnection) -> None:
    """What was paid for, and what was had of it until it ended."""
    usage = [row for row in records(ledger) if row["ChargeCategory"] == "Usage"]
    found = {
        (row["x_Agent"], row["x_MicroCredits"]): (row["PricingQuantity"], row["ConsumedQuantity"]) for row in usage
    }
    expected = {
        ("ann", 600): ("720", "159.8"),  # resold
        ("bob", 100): ("240", "59.8"),  # released
        ("cyn", 70): ("60", "60"),
        ("cyn", 250): ("560.2", "560.2"),
        ("dan", 90): ("200", "1.9"),
        ("bob", 40): ("198.1", "198.1"),
        ("bob", 179): ("30", "17.5"),  # work
        ("ann", 250): ("50", "30"),  # tokens
    }
    assert found == {key: tuple(map(Decimal, pair)) for key, pair in expected.items()}


def test_files(spent: Path, tmp_path: Path) -> None:
    """CSV with times as the specification has them, Parquet with types; both with the payments of the period alone."""
    asked = Asked(("project",))
    for name in ("costs.csv", "costs.parquet"):
        told = export(spent, "default", asked, tmp_path / name, "EUR", Decimal("0.25"))
        assert told.startswith("16 rows of FOCUS 1.2 in ")
    with (tmp_path / "costs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(Decimal(row["PricingCurrencyEffectiveCost"]) for row in rows) == Decimal("0.002687")
    assert all(re.fullmatch(r"2027-01-15T0[89]:\d\d:\d\dZ", row["ChargePeriodStart"]) for row in rows)
    with duckdb.connect() as connection:
        read = f"SELECT count(*), sum(x_MicroCredits)::BIGINT, max(ChargePeriodEnd) FROM '{tmp_path}/costs.parquet'"
        assert connection.execute(read).fetchone()[:2] == (16, 2687)  # type: ignore[index]
    with pytest.raises(QueryError, match="is there already"):
        export(spent, "default", asked, tmp_path / "costs.csv", "EUR", Decimal(0))
    with pytest.raises(QueryError, match=r"neither \.csv nor \.parquet"):
        export(spent, "default", asked, tmp_path / "costs.xlsx", "EUR", Decimal(0))
    with pytest.raises(QueryError, match="cannot be written"):
        export(spent, "default", asked, tmp_path / "none" / "costs.csv", "EUR", Decimal(0))
