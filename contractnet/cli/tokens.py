"""`tokens`: pools of API tokens. `create` and `resize` need the bank's credential, `priority` the operator's."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from contractnet.cli.durations import seconds_of
from contractnet.cli.lazy import service
from contractnet.cli.members import account_id, amount_of, ask_bank, ask_operator, check_name
from contractnet.cli.published import show_published, up_to_date
from contractnet.cli.quantities import flow_text, permille_of, rate_of, terms_text, tokens_of
from contractnet.cli.root import Where, app, out, where
from contractnet.errors import SettingsError
from contractnet.messages import Code
from contractnet.terminal import printable

if TYPE_CHECKING:
    from contractnet.client import Bank

# Characters of a wrong text that an error repeats.
_SHOWN = 40
_TERMS = 6
_SECONDS = {"interval_ms": "interval_s", "grant_ms": "grant_s"}
_OPTIONS = "--rate, --burst, --reserve, --interval, --price, --grant"
_HINTS = {
    Code.UNKNOWN_RULES: "The market runs older rules: token pools exist from version 7 on, which its operator "
    "activates.",
    Code.UNKNOWN_POOL: "`contractnet tokens show` lists the token pools, `contractnet tokens create` makes one.",
    Code.NAME_TAKEN: "Choose another name, or give the pool that has it other terms: `contractnet tokens resize`.",
    Code.BAD_TOKENS: "Rate and burst are 1 to 1,000,000,000 tokens.",
    Code.BAD_DURATION: "An interval takes 1s to 1h, and a grant 1s to 64 intervals.",
    Code.BAD_AMOUNT: "A price is at most 1,000,000,000 credits for 1,000 tokens.",
    Code.LIMIT_REACHED: "A market has at most 256 token pools.",
    Code.UNKNOWN_ACCOUNT: "`contractnet key list` shows the accounts with their ids.",
    Code.NOT_PERMITTED: "The bank itself neither owns a token pool nor draws tokens: name another account.",
    Code.UNKNOWN_KEY: "The key that signed is none of this market: `contractnet key list` shows those that are.",
}
tokens = typer.Typer(
    no_args_is_help=True, help="Token pools: a provider's API rate limit, sold to agents by the interval."
)
app.add_typer(tokens, name="tokens")

_RATE = "Tokens that the provider allows in a minute: 500k, 2M, 2M/min, 1_000_000."
_BURST = "Most tokens that are there at once: 500k, 1_000_000."
_RESERVE = "Part of the burst that clearings leave to System agents."
_INTERVAL = "How often the orders are cleared: 1s to 1h."
_PRICE = "Reserve price: least credits for 1,000 tokens."
_GRANT = "How long a grant may be spent: 1s to 64 intervals."
_KEPT = "as it is"
Name = Annotated[str, typer.Argument(help="Name of the token pool, such as openai/gpt-5.")]


class Switch(StrEnum):
    """Whether an account is a System agent."""

    ON = "on"
    OFF = "off"


@tokens.command(
    epilog="Examples:  contractnet tokens create openai/gpt-5 --owner ada --rate 2M/min --burst 500k   |   "
    "contractnet tokens create claude --owner ada --rate 400k --burst 80k --interval 2s --price 0.001 --grant 20s"
)
def create(
    ctx: typer.Context,
    name: Name,
    owner: Annotated[
        str, typer.Option(help="Account that is paid for the tokens: an enrolled name, a credential file, or an id.")
    ],
    rate: Annotated[str, typer.Option(help=_RATE)],
    burst: Annotated[str, typer.Option(help=_BURST)],
    reserve: Annotated[str | None, typer.Option(help=_RESERVE, show_default="20%")] = None,
    interval: Annotated[str | None, typer.Option(help=_INTERVAL, show_default="5s")] = None,
    price: Annotated[str | None, typer.Option(help=_PRICE, show_default="0")] = None,
    grant: Annotated[str | None, typer.Option(help=_GRANT, show_default="30s")] = None,
) -> None:
    """Create a token pool, full, and name the account that is paid for what is sold of it."""
    here = where(ctx)
    here.act_as("operator")
    check_name(name, "the token pool's name")
    terms = _given(rate, burst, reserve, interval, price, grant)
    account = account_id(here, owner)
    ask_bank(here, lambda bank: bank.create_token_pool(name, account, **_named(terms)), _what(name), _HINTS)
    out.print(f"token pool {escape(name)}: {flow_text(terms)}, owner {escape(printable(owner))}", soft_wrap=True)


@tokens.command(
    epilog="Examples:  contractnet tokens resize openai/gpt-5 --rate 4M   |   "
    "contractnet tokens resize openai/gpt-5 --price 0.002 --reserve 12.5%"
)
def resize(
    ctx: typer.Context,
    name: Name,
    rate: Annotated[str | None, typer.Option(help=_RATE, show_default=_KEPT)] = None,
    burst: Annotated[str | None, typer.Option(help=_BURST, show_default=_KEPT)] = None,
    reserve: Annotated[str | None, typer.Option(help=_RESERVE, show_default=_KEPT)] = None,
    interval: Annotated[str | None, typer.Option(help=_INTERVAL, show_default=_KEPT)] = None,
    price: Annotated[str | None, typer.Option(help=_PRICE, show_default=_KEPT)] = None,
    grant: Annotated[str | None, typer.Option(help=_GRANT, show_default=_KEPT)] = None,
) -> None:
    """Give a token pool other terms from now on. What the provider's 429s have lowered is the full rate again.

    Terms that are not named stay: they are read from the published ledger, unless all six are named.
    """
    here = where(ctx)
    here.act_as("operator")
    check_name(name, "the token pool's name")
    terms = _given(rate, burst, reserve, interval, price, grant)
    if not terms:
        raise SettingsError(f"Name what shall be other than it is: {_OPTIONS}.")

    async def ask(bank: Bank) -> dict[str, int]:
        wanted = terms
        if len(terms) < _TERMS:
            await up_to_date(here, bank.connection.partitions, f"Or name all six: {_OPTIONS}.")
            wanted = _kept(here, name) | terms
        await bank.resize_token_pool(name, **_named(wanted))
        return wanted

    made = ask_bank(here, ask, f"other terms of {_what(name)}", _HINTS)
    out.print(f"token pool {escape(name)}: {flow_text(made)}, {terms_text(made)}", soft_wrap=True)


@tokens.command(epilog="Examples:  contractnet tokens show   |   contractnet tokens show openai/gpt-5")
def show(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Name of one token pool; without it: all of them.")] = None,
) -> None:
    """Print token pools: terms, the rate now, orders, what the last hour sold and used; and who are System agents.

    All of it as the published ledger has it.
    """
    show_published(where(ctx), "analytics.tokens", name)


@tokens.command(epilog="Examples:  contractnet tokens priority oncall on   |   contractnet tokens priority oncall off")
def priority(
    ctx: typer.Context,
    account: Annotated[str, typer.Argument(help="Whose priority: an enrolled name, a credential file, or an id.")],
    system: Annotated[Switch, typer.Argument(help="Whether it is a System agent.")],
) -> None:
    """Say who is a System agent: it draws tokens of any pool at once, of the reserve too, and pays nothing."""
    here = where(ctx)
    here.act_as("operator")
    ident, wanted = account_id(here, account), system is Switch.ON
    shown = printable(account[:_SHOWN])
    ask_operator(here, lambda operator: operator.set_priority(ident, wanted), f"the priority of {shown}", _HINTS)
    now = "a System agent from now on" if wanted else "no System agent any more"
    out.print(f"account {escape(shown)}: {now}", soft_wrap=True)


def _given(
    rate: str | None, burst: str | None, reserve: str | None, interval: str | None, price: str | None, grant: str | None
) -> dict[str, int]:
    """The terms that a command line names, in the market's units."""
    given = {
        "tokens_per_minute": None if rate is None else rate_of(rate, "--rate"),
        "burst_tokens": None if burst is None else tokens_of(burst, "--burst"),
        "reserve_permille": None if reserve is None else permille_of(reserve, "--reserve"),
        "interval_ms": None if interval is None else seconds_of(interval, "--interval") * 1000,
        "reserve_per_1000_ucr": None if price is None else amount_of(price, "--price"),
        "grant_ms": None if grant is None else seconds_of(grant, "--grant") * 1000,
    }
    return {term: number for term, number in given.items() if number is not None}


def _kept(here: Where, name: str) -> dict[str, int]:
    """The terms that a pool has now. Raises SettingsError where there is no such pool."""
    found: dict[str, int] | None = service("analytics.tokens").terms(here.directory.path, here.market, name)
    if found is None:
        raise SettingsError(f"There is no token pool {name!r}. {_HINTS[Code.UNKNOWN_POOL]}")
    return found


def _named(terms: Mapping[str, int]) -> dict[str, Any]:
    """Terms by the names that the SDK has for them: seconds for milliseconds."""
    return {_SECONDS.get(term, term): number / 1000 if term in _SECONDS else number for term, number in terms.items()}


def _what(name: str) -> str:
    return f"the token pool {name!r}"
