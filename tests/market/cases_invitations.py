"""Commands about CFPs by invitation that break one rule each, and no other; see test_rules.py.

In its busy town bob alone is invited to `private`.
"""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market import limits
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, UNKNOWN_ID, Town, bid, call

INVITATION_IDS = ("private",)

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def invite(town: Town, ids: dict[str, bytes]) -> None:
    """Open `private`."""
    ids["private"] = town.cfp(open_ms=10_000, invited=(ids["bob"],))


def strangers(count: int) -> tuple[bytes, ...]:
    """Ids of nobody."""
    return tuple(bytes([number]) * 16 for number in range(count))


INVITATION_CASES: list[Case] = [
    ("bid uninvited", Code.NOT_INVITED, ANN, lambda i: bid(i["private"], 20)),
    ("refuse uninvited", Code.NOT_INVITED, ANN, lambda i: c.RefuseCfp(i["private"], "")),
    ("bid on one's own CFP by invitation", Code.OWN_CFP, MANAGER, lambda i: bid(i["private"], 20)),
    ("bank bids by no invitation", Code.NOT_PERMITTED, BANK, lambda i: bid(i["private"], 20)),
    ("operator refuses by no invitation", Code.NOT_PERMITTED, OPERATOR, lambda i: c.RefuseCfp(i["private"], "")),
    ("invite nobody", Code.UNKNOWN_ACCOUNT, MANAGER, lambda i: call(invited=(i["ann"], UNKNOWN_ID))),
    ("invite twice", Code.BAD_INVITATION, MANAGER, lambda i: call(invited=(i["ann"], i["bob"], i["ann"]))),
    ("invite oneself", Code.BAD_INVITATION, MANAGER, lambda i: call(invited=(i["ann"], i["manager"]))),
    ("invite the bank", Code.BAD_INVITATION, MANAGER, lambda i: call(invited=(i["bank"],))),
    (
        "invite too many",
        Code.LIMIT_REACHED,
        MANAGER,
        lambda i: call(invited=strangers(limits.INVITED_PER_CFP_MAX + 1)),
    ),
    ("invite to another's pool", Code.NOT_OWNER, ANN, lambda i: call(invited=(i["bob"],))),
]
