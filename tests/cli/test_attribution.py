"""`contractnet attribution`: who spent what, without SQL, on the market of tests/analytics/spending.py."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest

from contractnet.cli.commands import app
from contractnet.errors import ContractnetError
from contractnet.terminal import printable
from tests.analytics.spending import ODD, played, publish


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a market that spends in every way, from 08:57 to 09:04 on 15 January 2027."""
    folder = tmp_path_factory.mktemp("spent")
    publish(played().town, folder)
    return folder


def told(capsys: pytest.CaptureFixture[str], data: Path, *arguments: str) -> str:
    """What the command prints."""
    app(["--data", str(data), "attribution", *arguments], standalone_mode=False)
    return capsys.readouterr().out


def test_a_table_with_its_total(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    """The largest first, in credits; below it all of them."""
    shown = told(capsys, data, "--by", "agent").splitlines()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown if line.startswith("│")]
    assert cells == [
        ["manager", "2", "0.001000", "37.2"],
        ["ann", "3", "0.000852", "31.7"],
        ["cyn", "4", "0.000324", "12.1"],
        ["bob", "3", "0.000319", "11.9"],
        ["dan", "4", "0.000192", "7.1"],
    ]
    assert shown[-2] == "total: 0.002687 credits in 16 payments in 5 rows"
    assert shown[-1].startswith("as published 20")


def test_times_and_top(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    """Bounds in UTC or with a zone; times in order, and with --top the largest rows alone under the same total."""
    rows = list(csv.reader(io.StringIO(told(capsys, data, "--by", "hour,reason", "--csv"))))
    assert rows[0] == ["hour", "reason", "payments", "ucr"]
    assert [row[0][11:13] for row in rows[1:]] == ["08"] * 4 + ["09"] * 3
    assert rows[1] == ["2027-01-15 08:00:00", "AWARD", "6", "1079"]
    bounds = ("--since", "2027-01-15T09:57+01:00", "--until", "2027-01-15T09:00")
    (row,) = json.loads(told(capsys, data, "--by", "day", "--json", *bounds))
    assert row == {"day": "2027-01-15 00:00:00", "payments": 12, "ucr": 1387}
    table = told(capsys, data, "--by", "task", "--top", "1", *bounds)
    assert "train" in table
    assert "serve" not in table
    assert "total: 0.001387 credits in 12 payments from 2027-01-15 08:57:00 UTC" in table
    assert "the 1 largest rows of them above" in table


def test_nothing_says_where_something_is(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    """A period without payments, and a market without any."""
    shown = told(capsys, data, "--since", "2020-01-01", "--until", "2020-01-02")
    assert "nothing was paid from 2020-01-01" in shown
    assert "payments are from 2027-01-15 08:57:10 UTC to 2027-01-15 09:00:28 UTC" in shown
    app(["--data", str(data), "--market", "lab", "attribution"], standalone_mode=False)
    assert "nothing was paid in market lab so far" in capsys.readouterr().out
    assert json.loads(told(capsys, data, "--json", "--since", "2020-01-01", "--until", "2020-01-02")) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--by", "gpu"], "--by has no 'gpu': write some of project, agent"),
        (["--by", ""], "--by has no ''"),
        (["--by", "pool,pool"], "--by names one twice"),
        (["--since", "24x"], "--since '24x' is neither a duration nor a time"),
        (["--until", "2026-13-01"], "--until '2026-13-01' is neither"),
        (["--since", "0001-01-01T00:00+14:00"], "is neither"),
        (["--since", "2h", "--until", "3h"], "there is no time between them"),
        (["--since", "2027-01-15", "--until", "2027-01-15"], "is not before --until, 2027-01-15 00:00:00 UTC"),
        (["--since", "9999-01-01"], "is not before the publication"),
        (["--csv", "--json"], "exclude each other"),
        (["--focus", "x.csv", "--json"], "exclude each other"),
        (["--focus", "x.csv", "--currency", "euro"], "write three letters such as EUR"),
        (["--focus", "x.csv", "--per-credit", "1e3"], "a number below 10000"),
        (["--focus", "x.xlsx"], "neither .csv nor .parquet"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(data: Path, arguments: list[str], says: str) -> None:
    """In words, and nothing is written."""
    with pytest.raises(ContractnetError) as raised:
        app(["--data", str(data), "attribution", *arguments], standalone_mode=False)
    assert says in str(raised.value)
    assert not Path("x.csv").exists()


def test_focus_rows_in_a_file(capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path) -> None:
    """Of the period, at what a credit is said to be worth."""
    path = tmp_path / "costs.csv"
    money = ("--currency", "EUR", "--per-credit", "0.5")
    line = told(capsys, data, "--focus", str(path), *money, "--since", "2027-01-15T09:00", "--until", "2027-01-16")
    assert line.startswith("4 rows of FOCUS 1.2 from 2027-01-15 09:00:00 UTC to before 2027-01-16 00:00:00 UTC in ")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["BillingCurrency"], row["BilledCost"]) for row in rows][-1] == ("EUR", "0.000250000000")


def test_names_do_not_steer_a_terminal(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    """Odd names as they are, and what a market would not take, escaped."""
    assert ODD in told(capsys, data, "--by", "task")
    evil = "\x1b[2Jevil\u202e"
    with duckdb.connect(str((data / "ledger.duckdb").resolve())) as connection:
        connection.execute("UPDATE unsealed.transfers SET task = ? WHERE task = 'eval'", [evil])
    shown = told(capsys, data, "--by", "task")
    assert printable(shown) == shown
    assert "\\x1b[2Jevil\\u202e" in shown
