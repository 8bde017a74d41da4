"""Credits by the command line: what a wrong line says, and giving and moving some in a market that runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contractnet.access import ACCESS_ENV, role_file
from contractnet.cli.commands import app
from contractnet.cli.directory import DataDirectory
from contractnet.credentials import load
from contractnet.errors import ContractnetError
from contractnet.settings import BOOTSTRAP_ENV
from tests.cli.command import ROOT, contractnet, environment, shown

IDS = ["ab" * 16, "cd" * 16]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["issue", "nobody", "1"], "'nobody' is neither an account enrolled here"),
        (["issue", IDS[0], "0"], "AMOUNT '0' gives nothing"),
        (["issue", IDS[0], "0.000000"], "AMOUNT '0.000000' gives nothing"),
        (["issue", IDS[0], "-5"], "AMOUNT '-5' is no amount"),
        (["issue", IDS[0], "-0.5"], "AMOUNT '-0.5' is no amount"),
        (["issue", IDS[0], "1e3"], "AMOUNT '1e3' is no amount"),
        (["issue", IDS[0], "0.0000001"], "AMOUNT '0.0000001' is no amount"),
        (["issue", IDS[0], "999999999999999"], "AMOUNT '999999999999999' is too much"),
        (["issue", IDS[0], "1", "--note", "x" * 257], "at most 256 are allowed"),
        (["issue", IDS[0], "1", "--note", "bell\x07"], "--note 'bell\\x07' can't be used"),
        (["issue", IDS[0], "1"], "no bank credential"),
        (["transfer", IDS[0], "nobody", "1"], "'nobody' is neither"),
        (["transfer", "nobody", IDS[1], "1"], "'nobody' is neither"),
        (["transfer", *IDS, "0"], "AMOUNT '0' gives nothing"),
        (["transfer", *IDS, "-1"], "AMOUNT '-1' is no amount"),
        (["transfer", *IDS, "1"], "no bank credential"),
        (["show"], "contractnet up"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Before any broker is asked."""
    with pytest.raises(ContractnetError) as raised:
        app(["--data", str(tmp_path), "credits", *arguments], standalone_mode=False)
    assert says in str(raised.value)


@pytest.mark.parametrize("unknown", [["--nott", "x"], ["--note"], ["2"]])
def test_a_line_that_makes_no_sense_exits_with_2(tmp_path: Path, unknown: list[str]) -> None:
    """An amount may begin with a hyphen; an option that nobody knows is none all the same."""
    ended = contractnet("--data", tmp_path, "credits", "issue", IDS[0], "1", *unknown)
    assert ended.returncode == 2, ended.stderr


class Lab:
    """A second market of a data directory, which nobody else uses: infra has 1 credit, alice 100. Both have names once
    the projector has published them."""

    def __init__(self, data: Path, folder: Path, name: str = "lab") -> None:
        address = DataDirectory(data).bootstrap()
        assert address is not None
        access = str(role_file(data, "operator"))
        subprocess.run(
            [sys.executable, ROOT / "docs/examples/market.py", data / "keys" / "operator.json", name],
            cwd=folder,
            env=environment({ACCESS_ENV: access, BOOTSTRAP_ENV: address}),
            check=True,
            timeout=120,
        )
        self._remote = {ACCESS_ENV: access}, address
        self.bank = data / "keys" / f"bank-{name}.json"
        (folder / "bank.json").rename(self.bank)
        self.alice, self.infra = folder / "agent.json", folder / "manager.json"
        self._data, self._name = data, name
        shown(self._names, "alice", "infra")

    def _names(self) -> list[str]:
        return self.ask(
            "query", "--csv", f"SELECT name FROM accounts WHERE market = '{self._name}'"
        ).stdout.splitlines()

    def ask(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A command in this market."""
        return contractnet("--data", self._data, "--market", self._name, *arguments)

    def done(self, *arguments: str | Path) -> str:
        """What a command that succeeds prints."""
        ended = self.ask(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def done_elsewhere(self, folder: Path, *arguments: str | Path) -> str:
        """The same on a machine with nothing but the bank's credential and the operator's access to the broker."""
        (folder / "keys").mkdir(parents=True)
        shutil.copy2(self.bank, folder / "keys")
        env, address = self._remote
        ended = contractnet("--data", folder, "--bootstrap", address, "--market", self._name, *arguments, env=env)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def refused(self, *arguments: str | Path) -> str:
        """What a command says that does not work."""
        ended = self.ask(*arguments)
        assert ended.returncode == 1, ended.stdout
        assert "Traceback" not in ended.stderr
        return ended.stderr


@pytest.mark.broker
@pytest.mark.slow
def test_giving_and_moving_credits(market: Path, tmp_path: Path) -> None:
    """The bank gives and moves; each answer has the new balances. What it may not do is told with what to do."""
    lab = Lab(market, tmp_path)
    alice, infra = lab.alice, lab.infra
    ident = (load(alice).account or b"").hex()
    told = lab.done("credits", "issue", alice, "2.5", "--note", "sprint 12")
    assert f"2.5 credits issued to {str(alice)[:40]}" in told
    assert f"alice (of vision, {ident})  has 102.5: held 0, free 102.5" in told
    assert "infra" not in told.splitlines()[1]
    # By names, whose files are elsewhere.
    assert "0.5 credits moved from alice to infra" in lab.done("credits", "transfer", "alice", "infra", "0.5")
    lab.done("credits", "transfer", "infra", "alice", "0.5")
    assert "BAD_AMOUNT" in lab.refused("credits", "issue", "alice", "1000000000.000001")
    assert "budget of alice: 50 credits in 1d" in lab.done("budget", "set", "alice", "--limit", "50")
    lab.done("budget", "clear", "alice")
    assert "'eve' is neither" in lab.refused("credits", "issue", "eve", "1")
    told = lab.done("credits", "transfer", ident, infra, "40.000001")
    assert "40.000001 credits moved from" in told
    assert "has 62.499999: held 0, free 62.499999" in told
    assert "has 41.000001: held 0, free 41.000001" in told
    memos = lab.done("query", "SELECT reason, memo, amount_ucr FROM transfers WHERE market = 'lab' AND memo <> ''")
    assert "sprint 12" in memos

    told = lab.refused("credits", "transfer", alice, infra, "62.5")
    assert "INSUFFICIENT_CREDIT" in told
    assert "credits show" in told
    assert "BAD_AMOUNT" in lab.refused("credits", "transfer", alice, alice, "1")
    assert "BAD_AMOUNT" in lab.refused("credits", "issue", alice, "1000000000.000001")
    assert "UNKNOWN_ACCOUNT" in lab.refused("credits", "issue", IDS[0], "1")
    assert "NOT_PERMITTED" in lab.refused("credits", "transfer", lab.bank, alice, "1")
    lab.done("policy", "set", "--issue-limit", "50", "--window", "366d", "--fee", "0")
    lab.done("credits", "issue", infra, "49.5")
    told = lab.refused("credits", "issue", infra, "0.500001")
    assert "ISSUE_EXCEEDED" in told
    assert "policy show" in told

    assert "the bank" in lab.done("credits", "transfer", alice, lab.bank, "60")
    lines = lab.done("credits", "show").splitlines()
    assert [line.split(" (")[0] for line in lines[:-1]] == ["alice", "infra", "the bank"]
    assert "has 2.499999:" in lines[0]
    assert "has 90.500001:" in lines[1]
    assert lines[2].endswith("issued 93 that it has not got back")
    for name in ("infra", (load(infra).account or b"").hex()):
        assert lab.done("credits", "show", name).splitlines()[0] == lines[1]
    assert "no account 'eve'" in lab.refused("credits", "show", "eve")
    told = lab.done_elsewhere(tmp_path / "elsewhere", "credits", "issue", ident, "0.5")
    assert f"0.5 credits issued to {ident}" in told
    assert "new balances cannot be shown" in told
