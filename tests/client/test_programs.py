"""Programs with agents end when they are told to, whatever they are doing."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.interface import Broker
from contractnet import Bank, operator_credential
from contractnet.credentials import save
from contractnet.errors import CredentialError
from tests.client.stage import OPERATOR

pytestmark = pytest.mark.broker

ROOT = Path(__file__).resolve().parents[2]

WATCHER = """
import asyncio, sys, contractnet

async def main():
    async with contractnet.Connection.open(sys.argv[1], market="watched") as connection:
        print("ready", flush=True)
        async for cfp in connection.cfps():
            print(cfp)

asyncio.run(main())
"""

ABANDONED = """
import asyncio, sys, contractnet

async def main():
    connection = await contractnet.Connection.open(sys.argv[1], market="watched")
    print("ready", flush=True)

asyncio.run(main())
"""


def start(program: str, bootstrap: str) -> subprocess.Popen[str]:
    """A program that has connected."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, bootstrap],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_ctrl_c_ends_a_program_at_once(market_broker: Broker) -> None:
    """One interrupt, no second one: the threads end, and the traceback is the interrupt's alone."""
    process = start(WATCHER, market_broker.bootstrap)
    started_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - started_s < 5
    assert errors.count("Traceback") <= 2, errors  # asyncio chains the cancellation to the interrupt
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors


def test_a_forgotten_close_does_not_hang_the_program(market_broker: Broker) -> None:
    """A program that never closes its connection still ends by itself."""
    process = start(ABANDONED, market_broker.bootstrap)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_members_may_not_be_mixed_up(market_broker: Broker, tmp_path: Path) -> None:
    """An operator's file does not make a bank: the message says which role it has."""
    save(operator_credential("watched", keys=OPERATOR), tmp_path / "operator.json")

    async def play() -> None:
        with pytest.raises(CredentialError, match="role is operator, needed is bank"):
            await Bank.connect(tmp_path / "operator.json", market_broker.bootstrap)

    asyncio.run(play())
