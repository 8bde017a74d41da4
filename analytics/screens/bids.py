"""Reading a file of bids: delimiter, encoding, numbers, labels, and which columns are tender and bid."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

from contractnet.errors import TendersError

TENDERS = ("tender", "tender_id", "tenderid", "auction", "auction_id", "contract", "contract_id", "lot", "project")
# `bid` alone comes last: in the published data it numbers the bids.
BIDS = ("bid_value", "bid_amount", "bid_price", "bidvalue", "offer", "price", "amount", "bid")
YES = frozenset({"yes", "y", "true", "t", "collusive", "collusion", "cartel", "rigged", "positive"})
NO = frozenset({"no", "n", "false", "f", "competitive", "competition", "honest", "clean", "negative"})
_DELIMITERS = ",;\t|"
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LABELS_MAX = 20
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Bids:
    """The usable rows of a file: one bid each. `columns` holds all other columns as text, in the file's order."""

    tender: list[str]
    amount: list[float]
    label: list[bool]
    columns: dict[str, list[str]]
    tender_column: str
    bid_column: str
    label_column: str
    left_out: dict[str, int]


def plain(name: str) -> str:
    """A column's name in lower case, its words joined by underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def number(text: str) -> float | None:
    """A finite number, with a point or a single comma before its decimals; None for anything else."""
    text = text.strip().replace("\u00a0", "")
    if "," in text:
        text = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text.replace(",", "")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read(path: Path, label: str, tender: str | None = None, bid: str | None = None) -> Bids:
    """The bids of a file with a header line. Rows without tender, label, or a bid above 0 are left out and counted.

    Raises TendersError, which says what to do, for a file that can't be read or columns that are not there.
    """
    header, rows = _table(path)
    label_column = _named(header, label, "--label", path)
    tender_column = _named(header, tender, "--tender", path) if tender else _found(header, TENDERS, "--tender", path)
    bid_column = _named(header, bid, "--bid", path) if bid else _found(header, BIDS, "--bid", path)
    if len({label_column, tender_column, bid_column}) < 3:
        raise TendersError(f"{path}: label, tender and bid are three columns. {_listed(header)}")
    at = {name: i for i, name in enumerate(header)}
    truth = _labels([row[at[label_column]].strip() for row in rows], label_column, path)
    left_out = {"no tender": 0, "no label": 0, "no bid above 0": 0}
    kept: list[tuple[list[str], float, bool]] = []
    for row, is_collusive in zip(rows, truth, strict=True):
        amount = number(row[at[bid_column]])
        if not row[at[tender_column]].strip():
            left_out["no tender"] += 1
        elif is_collusive is None:
            left_out["no label"] += 1
        elif amount is None or amount <= 0:
            left_out["no bid above 0"] += 1
        else:
            kept.append((row, amount, is_collusive))
    if not kept:
        raise TendersError(f"{path}: no row has tender ({tender_column}), bid above 0 ({bid_column}) and label.")
    others = [name for name in header if name not in {label_column, tender_column, bid_column}]
    return Bids(
        tender=[row[at[tender_column]].strip() for row, _, _ in kept],
        amount=[amount for _, amount, _ in kept],
        label=[is_collusive for _, _, is_collusive in kept],
        columns={name: [row[at[name]].strip() for row, _, _ in kept] for name in others},
        tender_column=tender_column,
        bid_column=bid_column,
        label_column=label_column,
        left_out={why: count for why, count in left_out.items() if count},
    )


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a delimited file; rows that end early are filled up, empty ones dropped."""
    lines = _text(path)
    delimiter = max(_DELIMITERS, key=lines.partition("\n")[0].count)
    try:
        found = [row for row in csv.reader(io.StringIO(lines), delimiter=delimiter) if any(map(str.strip, row))]
    except csv.Error as error:
        raise TendersError(f"{path} is no delimited file: {error}.") from error
    if not found:
        raise TendersError(f"{path} is empty: it needs a header line and one line a bid.")
    header = [name.strip() for name in found[0]]
    if len(header) < 3:
        raise TendersError(
            f"{path}: its first line has {len(header)} columns ({header[0][:_SHOWN]!r}...). It needs a header line "
            f"with tender, bid and label, delimited by comma, semicolon, tab or bar."
        )
    if len(set(header)) < len(header):
        raise TendersError(f"{path}: two columns have the same name. {_listed(header)}")
    if any(len(row) > len(header) for row in found[1:]):
        raise TendersError(f"{path}: a row has more fields than the header line. Is {delimiter!r} the delimiter?")
    if len(found) == 1:
        raise TendersError(f"{path} has a header line and no bids.")
    return header, [row + [""] * (len(header) - len(row)) for row in found[1:]]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TendersError(f"{path} can't be read: {error.strerror}.") from error
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8-sig")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        # Older spreadsheets: every byte is a character there, so names may look strange and numbers do not.
        text = raw.decode("latin-1")
    if "\0" in text:
        raise TendersError(f"{path} is no text (it holds NUL characters). Export it as CSV.")
    return text


def _listed(header: list[str]) -> str:
    return "Its columns: " + ", ".join(header)


def _named(header: list[str], name: str, option: str, path: Path) -> str:
    if name in header:
        return name
    alike = [column for column in header if plain(column) == plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise TendersError(f"{path} has no column {name[:_SHOWN]!r} ({option}). {_listed(header)}")


def _found(header: list[str], names: tuple[str, ...], option: str, path: Path) -> str:
    for name in names:
        for column in header:
            if plain(column) == name:
                return column
    raise TendersError(f"{path}: none of its columns is named {', '.join(names)}: give {option}. {_listed(header)}")


def _labels(texts: list[str], column: str, path: Path) -> list[bool | None]:
    """True for a collusive bid: yes or no in words, or numbers of which 0 (and -1 beside 1) means no."""
    values = {text.lower() for text in texts if text}
    if not values:
        raise TendersError(f"{path}: the label {column} has no value in any row.")
    if values <= YES | NO:
        meant = {value: value in YES for value in values}
    elif all(number(value) is not None for value in values) and len(values) <= _LABELS_MAX:
        meant = {value: (number(value) or 0) > 0 for value in values}
    else:
        some = ", ".join(sorted(values)[:5])
        raise TendersError(
            f"{path}: {column} is no label (it has {len(values)} values: {some[:_SHOWN]}). "
            f"It needs 0 and 1, or yes and no."
        )
    return [meant[text.lower()] if text else None for text in texts]
