"""Keys: registered, rotated and revoked by events; a revoked one never signs again. And the operator's one power."""

from __future__ import annotations

from contractnet.messages import Code, Event
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.rejection import require
from market.rules.context import Context
from market.state import Account


def register(ctx: Context, command: c.RegisterKey) -> list[Event]:
    """The holder adds a key to its account, or the bank to any."""
    account = _own_or_any(ctx, command.account)
    return [_registered(ctx, account, command.signing_key)]


def rotate(ctx: Context, command: c.RotateKey) -> list[Event]:
    """The key that signed gives way to another, in one step."""
    account = ctx.need_sender()
    registered = _registered(ctx, account, command.signing_key)
    return [registered, e.KeyRevoked(account=account.id, signing_key=ctx.key)]


def revoke(ctx: Context, command: c.RevokeKey) -> list[Event]:
    """The holder ends a key of its own, or the bank any."""
    account = _own_or_any(ctx, command.account)
    key = ctx.state.keys.get(command.signing_key)
    require(key is not None and key.account == account.id and not key.revoked, Code.UNKNOWN_KEY)
    alone = account.live_keys == 1 and (not ctx.is_bank or account.id == ctx.state.bank)
    require(not alone, Code.LAST_KEY, "rotate it instead")
    return [e.KeyRevoked(account=account.id, signing_key=command.signing_key)]


def activate_rules(ctx: Context, command: c.ActivateRules) -> list[Event]:
    """The operator switches the market to other rules that this code knows; there is no way back to older ones."""
    from market.rules import RULES

    require(ctx.sender is None, Code.NOT_PERMITTED, "only the operator may do this")
    known = command.version in RULES and command.version > ctx.state.rules_version
    require(known, Code.UNKNOWN_RULES, f"version {command.version}, active {ctx.state.rules_version}")
    return [e.RulesActivated(version=command.version)]


def _own_or_any(ctx: Context, ident: bytes) -> Account:
    account = ctx.account(ident)
    own = ctx.sender is not None and ctx.sender.id == account.id
    require(own or ctx.is_bank, Code.NOT_OWNER, "the account belongs to another")
    return account


def _registered(ctx: Context, account: Account, signing_key: bytes) -> Event:
    require(signing_key not in ctx.state.keys, Code.KEY_TAKEN)
    require(account.keys < limits.KEYS_PER_ACCOUNT_MAX, Code.LIMIT_REACHED, f"the account had {account.keys} keys")
    return e.KeyRegistered(account=account.id, signing_key=signing_key)
