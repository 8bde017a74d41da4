"""How callers name an account."""

from __future__ import annotations

from contractnet.credentials import Credential
from contractnet.errors import CredentialError

Account = bytes | Credential
"""An account: its id (16 bytes), or the credential of its holder."""


def id_of(account: Account) -> bytes:
    """The id of an account. Raises CredentialError for a credential without one."""
    if isinstance(account, bytes):
        return account
    if account.account is None:
        raise CredentialError(f"the credential of {account.name!r} has no account: it is the {account.role}'s")
    return account.account
