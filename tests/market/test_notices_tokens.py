"""What is told of token pools: terms to everybody, grants to their accounts, and not how many there are."""

from __future__ import annotations

from contractnet.codec import decode_notice
from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from market.notices_tokens import GRANT_BUCKET_BYTES
from tests.market.test_notices_decisions import opened, record_of
from tests.market.town import BANK, OPERATOR, Town, key_pair, small_town, token_pool

GPT = "openai/gpt-5"


def sold(orders: dict[str, tuple[int, int, str]]) -> tuple[Town, list[bytes], list[bytes]]:
    """A pool for which some of a, b, c order; the bytes of all notices before the clearing, and at it."""
    town, ids = small_town("a", "b", "c")
    before = record_of(town, town.send(token_pool(GPT, ids["manager"], reserve_per_1000_ucr=1_000), BANK))
    for name, (tokens, limit, task) in orders.items():
        answer = town.send(c.PlaceStandingOrder(GPT, tokens, limit, task, 60_000), key_pair(name))
        assert answer.code is Code.ACCEPTED
        before += record_of(town, answer)
    town.at_ms += 1_000
    return town, before, record_of(town, town.tick())


def test_orders_are_sealed_and_grants_are_their_accounts() -> None:
    """An order gives a receipt, whatever is in it; a clearing the same number and sizes of sealed notices for one
    account as for three; only its own account opens a grant."""
    _, before, at_clearing = sold({"a": (10, 5_000, ""), "b": (20, 6_000, "")})
    _, same, others = sold({"a": (10, 5_000, ""), "b": (77, 90_000, "x" * 64)})
    assert before == same
    assert [type(decode_notice(value)) for value in before] == [
        n.Receipt,
        n.TokenPoolAnnounced,
        n.Receipt,
        n.Receipt,
    ]
    town, _, alone = sold({"c": (5, 2_000, "")})
    assert [len(value) for value in at_clearing] == [len(value) for value in others] == [len(value) for value in alone]
    assert len(alone) == 16
    assert all(isinstance(decode_notice(value), n.SealedNotice) for value in alone)
    told = opened(town, alone, "c")
    (grant,) = [notice for notice in told if isinstance(notice, n.GrantShown)]
    assert (grant.pool, grant.tokens, grant.paid_ucr, grant.system) == (GPT, 5, 5, False)
    assert any(isinstance(notice, n.BalanceChanged) for notice in told)
    assert opened(town, alone, "a") == []
    assert not any(isinstance(notice, n.GrantShown) for notice in opened(town, alone, "manager"))


def test_a_draw_is_told_to_whom_drew() -> None:
    """One sealed notice beside the receipt. A clearing that sells nothing tells nothing."""
    town, ids = small_town("a")
    town.send(token_pool(GPT, ids["manager"]), BANK)
    town.send(c.SetPriority(ids["a"], True), OPERATOR)
    answer = town.send(c.DrawTokens(GPT, 100, "incident"), key_pair("a"))
    values = record_of(town, answer)
    assert [type(decode_notice(value)) for value in values] == [n.Receipt, n.SealedNotice]
    (grant,) = opened(town, values, "a")
    assert isinstance(grant, n.GrantShown)
    assert (grant.grant, grant.order, grant.system) == (answer.id, None, True)
    town.send(c.PlaceStandingOrder(GPT, 10, 10, "", 60_000), key_pair("a"))
    town.at_ms += 1_000
    assert record_of(town, town.tick()) == []


def test_the_longest_grant_has_the_size_of_all() -> None:
    """A pool's name of 64 bytes and the largest numbers fit."""
    from contractnet.codec import encode
    from contractnet.sealing import LENGTH_BYTES

    longest = n.GrantShown(b"\xff" * 16, b"\xff" * 16, "x" * 64, b"\xff" * 16, 10**9, 10**15, 2**62, True)
    assert LENGTH_BYTES + len(encode(longest)) <= GRANT_BUCKET_BYTES
