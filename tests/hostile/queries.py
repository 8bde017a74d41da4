"""The kind `queries`: SQL that somebody pasted into `contractnet query`, against a published ledger full of poison.

Its attempts are statements, not records: all those of tests/analytics/test_query_locked.py, as they are and varied.
"""

from __future__ import annotations

import contextlib
import random
import re
import tempfile
from pathlib import Path

from analytics.query import run
from contractnet.errors import QueryError
from faults.hostile.absurd import POISON
from faults.hostile.judge import WRONG_MAX, Verdict
from tests.analytics.test_query_locked import READS, SECRET, WRITES, files_below
from tests.hostile.life import Life
from tests.hostile.published import publish

NAME = "queries"
LIVED = 600
"""Attempts of the life whose ledger is published: enough for every poison."""
NO_QUERY = "NO_QUERY"
EXPECTED = {
    NO_QUERY,
    "PermissionException",  # out of reach of the lock
    "CatalogException",  # no such table, no such function
}
OTHER_PATHS = {
    "/etc/passwd": (
        "/etc/../etc/passwd",
        "//etc/passwd",
        "/proc/self/cwd/etc/passwd",
        "file:///etc/passwd",
        "/etc/p*d",
    ),
    "'keys/operator.json'": ("'./keys/operator.json'", "'keys/../keys/operator.json'", "'keys/*.json'", "'**/*.json'"),
    "{home}/keys/operator.json": ("{home}/./keys/operator.json", "{home}/keys/../keys/*", "{home}/**/operator.json"),
    "other.parquet": ("*.parquet", "../segments/other.parquet", "[a-z]*.parquet"),
    "out.csv": ("keys/out.csv", "projection/segments/out.csv", "../out.csv"),
}


def live(seed: int, attempts: int) -> Verdict:
    """So many statements, each on a connection of its own; honest queries between."""
    rng = random.Random(f"{seed} {NAME}")
    life = Life("poison", seed)
    life.run(LIVED)
    with tempfile.TemporaryDirectory(prefix="contractnet-queries-") as folder:
        home = Path(folder) / "it's here"
        segment = publish(life, home)
        # Names without a folder are looked for where the user stands: here, in the worst place.
        with contextlib.chdir(home):
            return _attack(Verdict(NAME), rng, home, segment, attempts)


def _attack(verdict: Verdict, rng: random.Random, home: Path, segment: Path, attempts: int) -> Verdict:
    places = {"home": _quoted(str(home)), "segment": _quoted(str(segment))}
    before, exact = files_below(home), True
    while verdict.attempts < attempts:
        for sql in READS + WRITES:
            _try(verdict, (sql if exact else _varied(sql, rng)).format(**places), home)
        exact = False
        if files_below(home) != before:
            verdict.accepted += 1
            verdict.wrong.append("a file has changed")
            before = files_below(home)
        _ask(verdict, rng.choice(POISON), home)
    return verdict


def _try(verdict: Verdict, sql: str, home: Path) -> None:
    try:
        run(sql, home)
    except QueryError as error:
        word = NO_QUERY if error.__cause__ is None else type(error.__cause__).__name__
        opened = SECRET in str(error) or "root:" in str(error)
    else:
        word, opened = "ANSWERED", True
    verdict.attempts += 1
    verdict.accepted += opened
    verdict.codes[word] += 1
    if opened or word not in EXPECTED:
        verdict.misjudged += 1
        verdict.wrong += [f"{sql} came to {word}"] if len(verdict.wrong) < WRONG_MAX else []


def _ask(verdict: Verdict, text: str, home: Path) -> None:
    """What a query is for still works, and gives a hostile name back as it is."""
    found = run(f"SELECT DISTINCT name FROM accounts WHERE name = '{_quoted(text)}'", home)
    verdict.honest += 1
    verdict.honest_lost += found.rows != [(text,)]


def _varied(sql: str, rng: random.Random) -> str:
    """The same in other words: other paths to the same files, other capitals outside of quotes, comments around."""
    for path, others in OTHER_PATHS.items():
        if path in sql:
            sql = sql.replace(path, rng.choice((path, *others)))
    if rng.random() < 0.5:
        parts = re.split(r"('(?:[^']|'')*')", sql)
        parts[::2] = ["".join(rng.choice((x.lower(), x.upper())) for x in part) for part in parts[::2]]
        sql = "".join(parts)
    before = rng.choice(("", "", " \n", "/* \u00e9 */ ", "-- SELECT 1\n", "/* ; */\t"))
    return before + sql + rng.choice(("", "", ";", " ;\n", " -- x", " /* x */"))


def _quoted(text: str) -> str:
    return text.replace("'", "''")
