"""Names and paths that somebody chose with bad intent, on the command line: an answer in words, no traceback, and no
character that steers a terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contractnet.cli.directory import DataDirectory
from contractnet.credentials import Credential, Role, load, save
from contractnet.signing import KeyPair
from contractnet.terminal import printable
from faults.hostile.absurd import BAD_TEXTS, PATHS, POISON
from tests.cli.command import contractnet

LONG = "x" * 300
ESCAPE = "\x1b[2J\x1b]0;x\x07\x9b31m\u202e"


def is_calm(text: str) -> bool:
    """Whether a terminal shows it and does nothing else."""
    return printable(text) == text and "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--market", LONG, "up"], 1, "--market"),
        (["--market", ESCAPE, "up"], 1, "control"),
        (["enroll", LONG, "--project", "p"], 1, "300 bytes"),
        (["enroll", ESCAPE, "--project", "p"], 1, "control"),
        (["enroll", "a", "--project", ESCAPE], 1, "control"),
        (["enroll", "a", "--project", "p", "--out", LONG], 1, "File name too long"),
        (["enroll", "a", "--project", "p", "--credits", ESCAPE], 1, "no amount"),
        (["pool", "create", ESCAPE, "--owner", "a", "--units", "1"], 1, "control"),
        (["pool", "create", "p", "--owner", ESCAPE, "--units", "1"], 1, "neither an account"),
        (["pool", "create", "p", "--owner", "../../../../etc/passwd", "--units", "1"], 1, "no credential file"),
        (["tokens", "create", ESCAPE, "--owner", "a", "--rate", "1", "--burst", "1"], 1, "control"),
        (["tokens", "create", "t", "--owner", ESCAPE, "--rate", "1", "--burst", "1"], 1, "neither an account"),
        (["tokens", "create", "t", "--owner", "a", "--rate", ESCAPE, "--burst", "1"], 1, "no number of tokens"),
        (["tokens", "resize", ESCAPE, "--rate", "1"], 1, "control"),
        (["tokens", "priority", ESCAPE, "on"], 1, "neither an account"),
        (["tokens", "priority", "a", ESCAPE], 2, "is not one of"),
        (["policy", "set", "--issue-limit", ESCAPE], 1, "no amount"),
        (["--data", f"/{LONG}", "status"], 1, "File name too long"),
        (["--data", f"/tmp/{ESCAPE}", "query", "SELECT 1"], 1, "no /tmp/"),
        (["--bootstrap", ESCAPE, "status"], 1, "no broker address"),
        (["--bootstrap", "127.0.0.1:1", "verify", "--operator-key", ESCAPE], 2, "64 hex digits"),
        ([ESCAPE], 2, "No such command"),
    ],
)
def test_odd_arguments_get_an_answer(arguments: list[str], code: int, words: str, tmp_path: Path) -> None:
    """One or two lines say what is wrong; nothing starts."""
    data = [] if "--data" in arguments else ["--data", str(tmp_path / "data")]
    done = contractnet(*data, *arguments)
    shown = done.stdout + done.stderr
    assert done.returncode == code, shown
    assert words in " ".join(shown.split()), shown
    assert is_calm(shown), shown
    assert not (tmp_path / "data" / "run").exists()


@pytest.mark.parametrize("text", [ESCAPE, *BAD_TEXTS, *POISON, "\ud800", "a\nb"])
def test_text_for_a_terminal_is_plain(text: str) -> None:
    """Escaped where a terminal would obey, else as it was; always encodable; lines stay lines."""
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    shown.encode()
    assert printable(shown) == shown
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize("name", [*PATHS, *POISON, "Ω" * 32, "😀" * 16])
def test_files_of_any_name_lie_in_their_folder(name: str, tmp_path: Path) -> None:
    """Names that the market allows, dots and slashes included: a file of their own, below `agents` and `keys`."""
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    credential = Credential(Role.AGENT, "m", name, KeyPair.generate(), "0" * 64)
    for path, folder in ((directory.agent(name), directory.agents), (directory.bank(name), directory.keys)):
        assert path.parent == folder
        save(credential, path)
        assert os.path.realpath(path) == str(Path(os.path.realpath(folder)) / path.name)
        assert load(path).name == name
        assert path.stat().st_mode & 0o777 == 0o600
    assert len({directory.agent(other) for other in [*PATHS, *POISON]}) == len({*PATHS, *POISON})


def test_a_credential_is_not_written_through_a_link(tmp_path: Path) -> None:
    """A link where the file will be is replaced; what it points to is left alone, and gets no secret."""
    victim = tmp_path / "victim"
    victim.write_text("theirs", "utf-8")
    for target in (victim, tmp_path / "dangling"):
        link = tmp_path / "ann.json"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        save(Credential(Role.AGENT, "m", "ann", KeyPair.generate(), "0" * 64), link)
        assert not link.is_symlink()
    assert victim.read_text("utf-8") == "theirs"
    assert not (tmp_path / "dangling").exists()
