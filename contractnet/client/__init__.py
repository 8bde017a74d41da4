"""The async SDK: connections, agents, and the bank and operator of a market."""

from __future__ import annotations

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

__all__ = [
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
    "Connection",
    "Deal",
    "Grant",
    "Grants",
    "Negotiation",
    "Operator",
    "Proposal",
    "Subscription",
    "Token",
    "Work",
    "operator_credential",
]
