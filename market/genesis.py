"""How a market begins, and where it lives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from contractnet.messages import Code, Credentials, Submission
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.partition import partition_of
from market.rejection import require
from market.rules import RULES

home_of: Callable[[str, int], int] = partition_of


class Trust(Protocol):
    """What a genesis is checked against."""

    partitions: int
    operator_key: bytes


def open_market(trust: Trust, submission: Submission, credentials: Credentials) -> e.MarketOpened:
    """Check a genesis with a valid signature: only the trusted operator's counts."""
    command = submission.command
    assert isinstance(command, c.OpenMarket)
    require(credentials.key == trust.operator_key, Code.UNTRUSTED_OPERATOR)
    require(command.bank_key != credentials.key, Code.KEY_TAKEN, "operator and bank need keys of their own")
    require(command.partitions == trust.partitions, Code.BAD_PARTITIONS, f"the topic has {trust.partitions}")
    require(command.rules_version in RULES, Code.UNKNOWN_RULES, f"version {command.rules_version}")
    return e.MarketOpened(
        operator_key=credentials.key,
        bank_key=command.bank_key,
        bank=submission.command_id,
        genesis_hash=hashlib.sha256(submission.value).digest(),
        partitions=command.partitions,
        rules_version=command.rules_version,
        signed=command.signed,
    )
