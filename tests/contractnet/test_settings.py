"""Where things are, what a credit is, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import contractnet
from contractnet import settings
from contractnet.errors import SettingsError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from the surroundings, and an empty current folder."""
    monkeypatch.delenv(settings.DATA_ENV, raising=False)
    monkeypatch.delenv(settings.BOOTSTRAP_ENV, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_data_directory_is_flag_then_environment_then_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And always absolute."""
    assert settings.data_dir() == tmp_path / ".contractnet"
    monkeypatch.setenv(settings.DATA_ENV, "elsewhere")
    assert settings.data_dir() == tmp_path / "elsewhere"
    assert settings.data_dir("flag") == tmp_path / "flag"


def test_the_broker_is_flag_then_environment_then_hint_then_file_then_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each is used only where none before it says anything."""
    assert settings.bootstrap() == "127.0.0.1:9092"
    file = tmp_path / ".contractnet" / "broker" / "bootstrap"
    file.parent.mkdir(parents=True)
    file.write_text("127.0.0.1:4001\n")
    assert settings.bootstrap() == "127.0.0.1:4001"
    assert settings.bootstrap(data="other") == "127.0.0.1:9092"
    assert settings.bootstrap(hint="hint:4002") == "hint:4002"
    monkeypatch.setenv(settings.BOOTSTRAP_ENV, "env:4003")
    assert settings.bootstrap(hint="hint:4002") == "env:4003"
    assert settings.bootstrap("a:1,[::1]:2", hint="hint:4002") == "a:1,[::1]:2"


def test_a_credential_in_a_data_directory_finds_the_broker_that_runs_there(tmp_path: Path) -> None:
    """Before its hint, which may be old; elsewhere, or while no broker runs there, the hint counts."""
    credential = tmp_path / "market" / "agents" / "ann.json"
    assert settings.bootstrap(hint="hint:4002", credential=credential) == "hint:4002"
    file = tmp_path / "market" / "broker" / "bootstrap"
    file.parent.mkdir(parents=True)
    file.write_text("127.0.0.1:4001\n")
    assert settings.bootstrap(hint="hint:4002", credential=credential) == "127.0.0.1:4001"
    assert settings.bootstrap(hint="hint:4002", credential=tmp_path / "ann.json") == "hint:4002"


@pytest.mark.parametrize(
    "bad", ["localhost", "host:", ":1", "a:0", "a:65536", "a:1,", "http://a:1", "a b:1", "a:1;b:2"]
)
def test_what_is_no_address_is_refused(bad: str) -> None:
    """With a message that shows the form."""
    with pytest.raises(SettingsError, match="host:port"):
        settings.bootstrap(bad)


@pytest.mark.parametrize(
    ("amount", "ucr"),
    [(5, 5_000_000), (0, 0), (-1, -1_000_000), ("0.25", 250_000), ("1e-6", 1), (Decimal("2.5"), 2_500_000)],
)
def test_credits_are_whole_micro_credits(amount: int | str | Decimal, ucr: int) -> None:
    """Integers, texts and decimals, exactly."""
    assert contractnet.credits(amount) == ucr


def test_amounts_that_are_not_exact_are_refused() -> None:
    """A float, a truth value, a seventh decimal, no number, infinity."""
    for wrong in (0.1, True, None, b"5"):
        with pytest.raises(TypeError):
            contractnet.credits(wrong)  # type: ignore[arg-type]  # what is tested
    for text in ("0.0000001", "five", "inf", "nan", ""):
        with pytest.raises(ValueError, match="credits"):
            contractnet.credits(text)


def test_messages_import_without_a_kafka_client() -> None:
    """Rules and auditors need the messages only; every public name loads when it is asked for."""
    program = "import sys, contractnet.messages, contractnet.codec; assert 'confluent_kafka' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    for name in contractnet.__all__:
        assert getattr(contractnet, name) is not None
        assert name in dir(contractnet)
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        contractnet.nothing_of_this_name  # noqa: B018  # the access is what is tested
