"""Opening a market: the operator's and the bank's keys, the genesis, and a clock that has caught up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from contractnet import codec
from contractnet.cli.directory import DataDirectory
from contractnet.client import Connection, Operator, operator_credential
from contractnet.credentials import Credential, Role, fingerprint, load, save
from contractnet.errors import CredentialError, MarketNotFoundError, UnreadableValueError
from contractnet.messages.events import MarketOpened
from contractnet.messages.partition import partition_of
from contractnet.signing import KeyPair
from contractnet.topics import LEDGER
from streams.reading import read_partition

# An idle market records its time every 30 s (market/limits.py, CLOCK_ADVANCE_MS).
CLOCK_LAG_MS_MAX = 40_000
CLOCK_PATIENCE_S = 120.0
_NEWEST = 500


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether the market was opened `now`, and whether it checks signatures."""

    now: bool
    signed: bool


def operator_keys(directory: DataDirectory, market: str) -> Credential | None:
    """The operator of a data directory, made at its first use; workers trust the key in keys/operator.pub.

    None where only that public half is left: a market that is open needs no more. Raises CredentialError for a key that
    was rotated: another one signed the genesis.
    """
    if directory.operator.is_file():
        credential = load(directory.operator)
        if fingerprint(credential.keys.public) != credential.operator:
            raise CredentialError(
                f"{directory.operator} holds a key that replaced the operator's in market {credential.market!r}. "
                f"Put the file back that opened the market: workers trust its key (docs/security.md, Keys)."
            )
    elif directory.operator_public.is_file():
        return None
    else:
        credential = operator_credential(market)
        save(credential, directory.operator)
    draft = directory.operator_public.with_suffix(".draft")
    draft.write_text(credential.keys.public.hex() + "\n", "ascii")
    os.replace(draft, directory.operator_public)
    return credential


def trusted_operator(directory: DataDirectory) -> bytes | None:
    """The operator's public key that the workers of a data directory trust; None where it has none yet."""
    if directory.operator.is_file():
        return load(directory.operator).keys.public
    file = directory.operator_public
    return bytes.fromhex(file.read_text("ascii")) if file.is_file() else None


async def open_market(
    directory: DataDirectory, bootstrap: str, market: str, *, signed: bool, resale_call_s: int
) -> Opening:
    """Open the market unless it is open, and leave its bank's credential file.

    In a market that is opened, leases that are bargained for are called for, for `resale_call_s` seconds (0: they move
    at once). The workers must have judged all earlier commands. Raises CredentialError where the market is somebody
    else's.
    """
    operator, trusted = operator_keys(directory, market), trusted_operator(directory)
    assert trusted is not None, "it was made just now, if it was not there"
    bank_file = directory.bank(market)
    async with Connection.open(bootstrap, market=market) as connection:
        try:
            genesis = connection.genesis
        except MarketNotFoundError:
            if operator is None:
                raise CredentialError(
                    f"Market {market!r} is not open yet, and {directory.operator}, which could open it, is missing: "
                    f"put it back from a copy, or begin with another data directory (--data)."
                ) from None
            await _open(connection, operator.keys, bank_file, signed=signed, resale_call_s=resale_call_s)
            return Opening(now=True, signed=signed)
        if connection.operator_key != trusted:
            raise CredentialError(
                f"Market {market!r} at {bootstrap} was opened by another operator than the one of {directory.path}. "
                f"Use the data directory of that operator (--data), or another market (--market)."
            )
        if not bank_file.is_file() or load(bank_file).genesis != genesis:
            _recover_bank(connection, bank_file, fingerprint(trusted))
        return Opening(now=False, signed=_genesis_event(connection).signed)


async def _open(connection: Connection, keys: KeyPair, bank_file: Path, *, signed: bool, resale_call_s: int) -> None:
    # The bank's keys are on disk before the market hears of them, and stay there whatever the answer.
    bank = load(bank_file).keys if bank_file.is_file() else KeyPair.generate()
    waiting = Credential(
        role=Role.BANK, market=connection.market, name="bank", keys=bank, operator=fingerprint(keys.public)
    )
    save(waiting, bank_file)
    operator = Operator(connection, operator_credential(connection.market, keys=keys))
    save(await operator.open_market(bank, signed=signed), bank_file)
    if resale_call_s:
        await operator.set_resale_call(resale_call_s)


def _recover_bank(connection: Connection, bank_file: Path, operator: str) -> None:
    """Complete a bank's file whose writer ended before the market had answered: the ledger knows the rest."""
    opened = _genesis_event(connection)
    keys = load(bank_file).keys if bank_file.is_file() else None
    if keys is None or keys.public != opened.bank_key:
        raise CredentialError(
            f"Market {connection.market!r} is open, but {bank_file} is not the credential of its bank. Put that file "
            f"back from a copy, or open another market (--market)."
        )
    bank = Credential(role=Role.BANK, market=connection.market, name="bank", keys=keys, operator=operator)
    save(replace(bank, genesis=opened.genesis_hash, account=opened.bank, partitions=connection.partitions), bank_file)


def _genesis_event(connection: Connection) -> MarketOpened:
    for record in read_partition(connection.bootstrap, LEDGER.name, connection.partition, 0):
        if record.key == connection.market.encode():
            event = codec.decode_entry(record.value).event
            if isinstance(event, MarketOpened):
                return event
    raise MarketNotFoundError(f"the ledger at {connection.bootstrap} has no genesis of {connection.market!r}")


def market_lag_ms(bootstrap: str, market: str, partitions: int) -> int | None:
    """How far the market's time is behind this machine's clock, None where the ledger's end says nothing of it."""
    from confluent_kafka import TopicPartition

    from contractnet.watermarks import watermarks
    from streams.reading import new_consumer

    here = TopicPartition(LEDGER.name, partition_of(market, partitions))
    consumer = new_consumer(bootstrap)
    try:
        _, end = watermarks(consumer, here, 10)
    finally:
        consumer.close()
    newest_ms = None
    for record in read_partition(bootstrap, LEDGER.name, here.partition, max(0, end - _NEWEST)):
        if record.key != market.encode():
            continue
        try:
            newest_ms = codec.decode_entry(record.value).source.at_ms
        except UnreadableValueError:
            continue
    return None if newest_ms is None else int(time.time() * 1000) - newest_ms


def wait_for_clock(
    bootstrap: str, market: str, partitions: int, tell: Callable[[str], None], look: Callable[[], None]
) -> None:
    """Return when market time has caught up with the pause since the market last ran, or after two minutes."""
    give_up_at = time.monotonic() + CLOCK_PATIENCE_S
    told_at = time.monotonic() + 1.0
    while (lag_ms := market_lag_ms(bootstrap, market, partitions)) is not None and lag_ms > CLOCK_LAG_MS_MAX:
        if time.monotonic() > give_up_at:
            tell(f"market time is still {lag_ms / 1000:.0f} s behind this machine's clock; going on")
            return
        if time.monotonic() > told_at:
            tell(f"market time is catching up: {lag_ms / 1000:.0f} s behind")
            told_at = time.monotonic() + 3.0
        look()
        time.sleep(0.2)
