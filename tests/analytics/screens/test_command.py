"""The command on files as people have them: what it finds, what it leaves out, and what it says when it can't."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.screens.bids import read
from analytics.screens.columns import choose
from analytics.screens.report import Asked, as_json, lines, run
from contractnet.errors import TendersError
from tests.analytics.screens.tenders import HEADER, rows, write
from tests.cli.command import contractnet


def report(path: Path, **changed: Any) -> dict[str, Any]:
    """The report of two repetitions."""
    options: dict[str, Any] = {"tender": None, "bid": None, "repetitions": 2, "seed": 1, **changed}
    return run(Asked(path, "Collusive", **options), lambda _done, _of: None)


def test_close_bids_are_found(tmp_path: Path) -> None:
    """From tender, bid and label alone: collusive tenders with a tenth of the spread are told apart."""
    found = report(write(tmp_path / "bids.csv", rows(1)))
    assert found["measures"]["auc"]["mean"] > 0.9
    assert found["measures"]["balanced_accuracy"]["mean"] > 0.85
    assert found["measures"]["cv_auc"]["mean"] > 0.9
    assert json.loads(as_json(found)) == json.loads(as_json(report(tmp_path / "bids.csv")))


def test_noise_is_not_found(tmp_path: Path) -> None:
    """Where collusive tenders have the same bids as others, no number of the report says otherwise: nothing leaks."""
    table = rows(2, tenders=150, collusive_cv=0.1, honest_cv=0.1)
    dated = [[*row, 1_274_918_400 + 86_400 * int(str(row[2])), f"case {row[2]}", int(str(row[0])[1:])] for row in table]
    path = write(tmp_path / "bids.csv", dated, [*HEADER, "Opened", "Comment", "Serial"])
    found = report(path, repetitions=4)
    assert 0.35 < found["measures"]["auc"]["mean"] < 0.65
    assert set(found["columns_left_out"]) == {"Opened", "Comment", "Serial"}


def test_columns_that_leak_stay_out(tmp_path: Path) -> None:
    """Each rule, by a column that only it catches; amounts and categories stay in, also of one value a tender."""
    table = []
    for i, (tender, bid, label) in enumerate(rows(3)):
        estimate = float(str(tender)[1:]) ** 1.5 * 1000.37 + 50.5
        table.append(
            [
                tender,
                bid,
                label,
                i,
                estimate,
                label,
                2010 + i % 9,
                "2019-01-02",
                f"firm {i % 7}",
                i % 4,
                "north",
                1,
                label,
            ]
        )
    names = "Line Pre-Tender_Estimate Cartel_name Year Opened Competitors Site Region Fixed Copy"
    header = [*HEADER, *names.split()]
    for row in table:
        row[10] = "north" if row[9] else "south"
    bids = read(write(tmp_path / "bids.csv", table, header), "Collusive")
    chosen = choose(bids)
    assert set(chosen.left_out) == {"Line", "Cartel_name", "Year", "Opened", "Competitors", "Fixed", "Copy"}
    assert chosen.numeric == ["Pre-Tender_Estimate", "Site"]
    assert chosen.categorical == ["Region"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"Tender,Bid_value,Collusive\n", "no bids"),
        (b"Tender Bid_value Collusive\n1 2 0\n", "delimited by"),
        (b"Lot no,Bid_value,Collusive\n1,2,0\n", "give --tender"),
        (b"Tender,What,Collusive\n1,2,0\n", "give --bid"),
        (b"Tender,Bid_value,Other\n1,2,0\n", "Its columns: Tender, Bid_value, Other"),
        (b"Tender,Bid_value,Collusive\n1,2,maybe\n", "no label"),
        (b"Tender,Bid_value,Collusive\n1,2,\n", "no value"),
        (b"Tender,Bid_value,Collusive\n1,-2,0\n,3,0\n", "no row has"),
        (b"Tender,Bid_value,Collusive\n1,2,0,9\n", "more fields"),
        (b"Tender,Tender,Collusive\n1,2,0\n", "same name"),
        (b"Tender,Bid_value,Collusive\n1,2,0\n1,3,0\n", "0 tenders with collusive bids"),
        (b"\x00\x01,\x00,\x00\n", "no text"),
    ],
)
def test_what_it_says_when_it_cannot(tmp_path: Path, content: bytes, says: str) -> None:
    """Files that are no bids end with what is wrong with them."""
    path = tmp_path / "bids.csv"
    path.write_bytes(content)
    with pytest.raises(TendersError, match=says):
        report(path)


@pytest.mark.parametrize(
    ("encoding", "delimiter", "words"),
    [("utf-16", ",", ("no", "yes")), ("latin-1", ";", ("0", "1")), ("utf-8-sig", "\t", ("False", "True"))],
)
def test_files_as_people_have_them(tmp_path: Path, encoding: str, delimiter: str, words: tuple[str, str]) -> None:
    """Encodings, delimiters, decimal commas and labels in words read the same."""
    table = [
        [row[0], str(row[1]).replace(".", "," if delimiter == ";" else "."), words[int(str(row[2]))]] for row in rows(4)
    ]
    path = write(tmp_path / "bids.csv", table, delimiter=delimiter)
    path.write_bytes(path.read_text("utf-8").replace("Collusive", "Colusi\u00f3n").encode(encoding))
    found = read(path, "Colusi\u00f3n")
    assert found.label == [bool(row[2]) for row in rows(4)]
    assert found.amount == [row[1] for row in rows(4)]


def test_both_orders_of_utf_16(tmp_path: Path) -> None:
    """A mark at the beginning tells the order of the bytes."""
    path = write(tmp_path / "bids.csv", rows(4))
    text = "\ufeff" + path.read_text("utf-8")
    for encoding in ("utf-16-le", "utf-16-be"):
        path.write_bytes(text.encode(encoding))
        assert read(path, "Collusive").tender == [row[0] for row in rows(4)]


def test_rows_without_a_bid_are_counted(tmp_path: Path) -> None:
    """Rows that lack something are left out and counted; tenders of one bid stay."""
    table = [*rows(5), ["T99", "", 0], ["T99", "n/a", 1], ["", 5, 0], ["T98", 5, ""], ["T97", 7, 1]]
    path = write(tmp_path / "bids.csv", table)
    found = report(path)
    assert found["rows_left_out"] == {"no tender": 1, "no label": 1, "no bid above 0": 2}
    assert found["bids"] == len(rows(5)) + 1
    assert any(
        "left out: 2 rows, no bid above 0" in line for line in lines(Asked(path, "Collusive", None, None, 2, 1), found)
    )


def test_another_market_is_tested_on_its_screens(tmp_path: Path) -> None:
    """With --test the classifier sees what means the same there, and the report says so."""
    here, there = write(tmp_path / "here.csv", rows(6)), write(tmp_path / "there.csv", rows(7))
    found = report(here, test=there)
    assert "log_bid" not in found["learned_from"]
    assert found["scores"][0]["auc"] > 0.9
    reversed_market = write(tmp_path / "reversed.csv", rows(8, collusive_cv=0.2, honest_cv=0.02))
    assert report(here, test=reversed_market)["scores"][0]["auc"] < 0.2


def test_the_command_prints_and_exits(tmp_path: Path) -> None:
    """JSON on stdout and 0; one line on stderr and 1 where the file is not there."""
    path = write(tmp_path / "bids.csv", rows(9))
    done = contractnet("screens", str(path), "--label", "Collusive", "--repetitions", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tenders"] == 60
    missing = contractnet("screens", str(tmp_path / "none.csv"), "--label", "Collusive")
    assert missing.returncode == 1
    assert "can't be read" in missing.stderr
