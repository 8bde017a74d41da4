"""contractnet: a market in which agents bargain for GPUs and API tokens with virtual credits.

    async with contractnet.Agent.connect("agent.json") as agent:
        async for cfp in agent.cfps():
            bid = await agent.bid(cfp, contractnet.credits(5), task="train")
            if award := await bid.outcome():
                print("won", award.units, "of", award.pool, "for", award.price_ucr)

docs/examples/bidder.py is the whole program.

Names load when they are first used: `import contractnet.messages` needs no Kafka client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contractnet.client.admin import Bank, Operator, operator_credential
    from contractnet.client.agent import Agent, Bid
    from contractnet.client.bidding import Bidder
    from contractnet.client.book import Subscription
    from contractnet.client.cfp import Cfp
    from contractnet.client.connection import Connection
    from contractnet.client.grants import Grant, Grants
    from contractnet.client.groups import BidGroup
    from contractnet.client.inbox import Balance, Balances, Budget, Proposal, Work
    from contractnet.client.lease import Award, Token
    from contractnet.client.negotiation import Deal, Negotiation
    from contractnet.client.spending import Spending
    from contractnet.client.wallet import Wallet
    from contractnet.credentials import Credential
    from contractnet.gate import Admission, Gate
    from contractnet.messages import (
        CfpOutcome,
        Claim,
        Code,
        Issue,
        NegotiationProtocol,
        Offer,
        Pricing,
        Priority,
        Progress,
    )
    from contractnet.money import credits
    from contractnet.signing import KeyPair

_HOMES = {
    "contractnet.client.admin": ("Bank", "Operator", "operator_credential"),
    "contractnet.client.agent": ("Agent", "Bid"),
    "contractnet.client.bidding": ("Bidder",),
    "contractnet.client.book": ("Subscription",),
    "contractnet.client.cfp": ("Cfp",),
    "contractnet.client.connection": ("Connection",),
    "contractnet.client.grants": ("Grant", "Grants"),
    "contractnet.client.groups": ("BidGroup",),
    "contractnet.client.inbox": ("Balance", "Balances", "Budget", "Proposal", "Work"),
    "contractnet.client.lease": ("Award", "Token"),
    "contractnet.client.negotiation": ("Deal", "Negotiation"),
    "contractnet.client.spending": ("Spending",),
    "contractnet.client.wallet": ("Wallet",),
    "contractnet.credentials": ("Credential",),
    "contractnet.gate": ("Admission", "Gate"),
    "contractnet.messages": (
        "CfpOutcome",
        "Claim",
        "Code",
        "Issue",
        "NegotiationProtocol",
        "Offer",
        "Pricing",
        "Priority",
        "Progress",
    ),
    "contractnet.money": ("credits",),
    "contractnet.signing": ("KeyPair",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Admission",
    "Agent",
    "Award",
    "Balance",
    "Balances",
    "Bank",
    "Bid",
    "BidGroup",
    "Bidder",
    "Budget",
    "Cfp",
    "CfpOutcome",
    "Claim",
    "Code",
    "Connection",
    "Credential",
    "Deal",
    "Gate",
    "Grant",
    "Grants",
    "Issue",
    "KeyPair",
    "Negotiation",
    "NegotiationProtocol",
    "Offer",
    "Operator",
    "Pricing",
    "Priority",
    "Progress",
    "Proposal",
    "Spending",
    "Subscription",
    "Token",
    "Wallet",
    "Work",
    "credits",
    "operator_credential",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'contractnet' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
