"""Keys: registered, rotated and revoked by events; a revoked one never signs again. And the operator's one power."""

from __future__ import annotations

from contractnet.messages import Code, Event
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.account import Account
from market.rejection import require
from market.rules.context import Context


def register(ctx: Context, command: c.RegisterKey) -> list[Event]:
    """The holder adds a key to its account, or the bank to any."""
    _need_no_expiry(command.expires_at_ms)
    account = _own_or_any(ctx, command.account)
    return [_registered(ctx, account, command.signing_key)]


def rotate(ctx: Context, command: c.RotateKey) -> list[Event]:
    """The key that signed gives way to another, in one step."""
    _need_no_expiry(command.expires_at_ms)
    account = ctx.need_sender()
    registered = _registered(ctx, account, command.signing_key)
    return [registered, e.KeyRevoked(account=account.id, signing_key=ctx.key)]


def register_3(ctx: Context, command: c.RegisterKey) -> list[Event]:
    """As `register`; the key may expire, and the operator adds keys to the bank's account."""
    if ctx.sender is None and command.account == ctx.state.bank:
        account = ctx.account(command.account)
    else:
        account = _own_or_any(ctx, command.account)
    return [
        _registered(ctx, account, command.signing_key),
        *_expiry(ctx, account, command.signing_key, command.expires_at_ms),
    ]


def rotate_3(ctx: Context, command: c.RotateKey) -> list[Event]:
    """As `rotate`; the new key may expire, and the operator's key can be rotated as well."""
    account = ctx.sender
    if account is None:
        return [_rotated_operator(ctx, command)]
    return [
        _registered(ctx, account, command.signing_key),
        *_expiry(ctx, account, command.signing_key, command.expires_at_ms),
        e.KeyRevoked(account=account.id, signing_key=ctx.key),
    ]


def _need_no_expiry(expires_at_ms: int | None) -> None:
    require(expires_at_ms is None, Code.UNKNOWN_RULES, f"keys expire from version {limits.KEYS_RULES_VERSION} on")


def _expiry(ctx: Context, account: Account, signing_key: bytes, expires_at_ms: int | None) -> list[Event]:
    if expires_at_ms is None:
        return []
    require(expires_at_ms > ctx.at_ms, Code.BAD_DURATION, f"it would expire at {expires_at_ms}, now {ctx.at_ms}")
    return [e.KeyExpires(account=account.id, signing_key=signing_key, expires_at_ms=expires_at_ms)]


def _rotated_operator(ctx: Context, command: c.RotateKey) -> Event:
    never = command.expires_at_ms is None
    require(never, Code.BAD_DURATION, "the operator's key does not expire: nobody could renew it")
    require(command.signing_key not in ctx.state.keys, Code.KEY_TAKEN)
    keys = sum(key.account is None for key in ctx.state.keys.values())
    require(keys < limits.KEYS_PER_ACCOUNT_MAX, Code.LIMIT_REACHED, f"the operator had {keys} keys")
    return e.OperatorKeyRotated(revoked_key=ctx.key, signing_key=command.signing_key)


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
