"""What an account is told of its budgets, what it is not told, and what a record may set off."""

from __future__ import annotations

import pytest

from contractnet.codec import decode_notice
from contractnet.envelope import is_proven
from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages import notices as n
from contractnet.messages.private import BUCKET_BYTES_MIN, Private
from contractnet.sealing import BOX_TAG_BYTES, nonce_of, open_notice, seal_notice, tag_of, values_of
from contractnet.signing import KeyPair
from market import Shard, shard, told
from tests.market.town import (
    BANK,
    MANAGER,
    NAME,
    OPERATOR,
    PARTITION,
    PARTITIONS,
    Town,
    budget,
    call,
    inbox_key,
    key_pair,
    small_town,
)

ANN, BOB = key_pair("ann"), key_pair("bob")
MINUTE_MS = 60_000


def notices_by_record(town: Town) -> list[list[bytes]]:
    """The values of the notices topic, record by record, as a worker would have written them."""
    again = Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven)
    found: list[list[bytes]] = []
    for answer, head in zip(town.answers, town.heads, strict=True):
        entries = again.apply(answer.submission)
        again.head = head
        found.append(values_of(told(again, answer.submission.market, entries)) if entries else [])
    return found


def budgets_read(town: Town, name: str) -> list[list[n.BudgetChanged | n.BudgetEnded]]:
    """What an account is told of budgets, record by record."""
    key, records = inbox_key(name), []
    for values in notices_by_record(town):
        sealed = [notice for notice in map(decode_notice, values) if isinstance(notice, n.SealedNotice)]
        mine = [s for s in sealed if tag_of(key, s.nonce) == s.tag]
        opened = [open_notice(s, key, town.genesis_hash, NAME) for s in mine]
        records.append([notice for notice in opened if isinstance(notice, n.BudgetChanged | n.BudgetEnded)])
    return records


def on_the_minute(*agents: str) -> tuple[Town, dict[str, bytes]]:
    """A town at the start of a minute."""
    town, ids = small_town(*agents, units=4)
    town.at_ms += -town.at_ms % MINUTE_MS
    return town, ids


def test_an_account_learns_of_its_budgets_and_its_projects() -> None:
    """When one is set, topped up, warns, goes on to the next window, ends; and at each close that concerns it."""
    town, ids = on_the_minute("ann", "bob")
    ends_at_ms = town.at_ms + MINUTE_MS
    town.send(budget(ids["ann"]), BANK)
    town.send(budget(None, "project", limit_ucr=1_000), BANK)
    town.send(c.TopUpBudget(ids["ann"], "", 20), BANK)
    cfp = town.cfp(pricing="FIRST")
    town.bid(cfp, "ann", 96)
    town.settle(cfp)
    closed = town.offset - 1
    town.at_ms = ends_at_ms
    town.tick()
    town.send(c.ClearBudget(ids["ann"], ""), BANK)

    def own(limit_ucr: int, spent_ucr: int, ends_ms: int, warned: bool, offset: int) -> n.BudgetChanged:
        return n.BudgetChanged(ids["ann"], False, limit_ucr, spent_ucr, ends_ms, warned, offset)

    def projects(spent_ucr: int, ends_ms: int, offset: int, who: str = "ann") -> n.BudgetChanged:
        return n.BudgetChanged(ids[who], True, 1_000, spent_ucr, ends_ms, False, offset)

    later_ms = ends_at_ms + MINUTE_MS
    ann = [sorted(told, key=lambda notice: notice.of_project) for told in budgets_read(town, "ann") if told]
    assert ann == [
        [own(100, 0, ends_at_ms, False, closed - 5)],
        [own(100, 0, ends_at_ms, False, closed - 4), projects(0, ends_at_ms, closed - 4)],
        [own(120, 0, ends_at_ms, False, closed - 3), projects(0, ends_at_ms, closed - 3)],
        [own(120, 96, ends_at_ms, True, closed), projects(96, ends_at_ms, closed)],
        [own(100, 0, later_ms, False, closed + 1), projects(0, later_ms, closed + 1)],
        [n.BudgetEnded(ids["ann"], False, closed + 2), projects(0, later_ms, closed + 2)],
    ]
    bob = [told for told in budgets_read(town, "bob") if told]
    assert bob == [[projects(0, ends_at_ms, closed - 4, "bob")]], "of what others spend it hears at its own next close"


def test_every_notice_of_a_budget_has_the_size_of_a_decoy() -> None:
    """Whatever the numbers: nobody sees which of the boxes of a close belong to somebody with a budget."""
    most = 10**15
    for limit_ucr, spent_ucr, offset in ((None, 0, 0), (0, 0, 1), (most, 4 * most, 2**40)):
        notice = n.BudgetChanged(bytes(16), True, limit_ucr, spent_ucr, 4 * 10**12, True, offset)
        sealed = seal_notice(Private(bytes(32), notice), nonce_of(0, 0, 0), b"")
        assert len(sealed.box) == BUCKET_BYTES_MIN + BOX_TAG_BYTES


@pytest.mark.parametrize("terms", [{}, {"decay_permille": 500}, {"allowance_ucr": 90, "decay_permille": 100}])
def test_no_bid_shows_before_the_close_by_a_budget(terms: dict[str, int]) -> None:
    """Two runs that differ in bob's open bids alone, one of which holds all that he has: the same number of notices of
    the same sizes for each record, through two ends of windows and up to the close."""
    shapes = []
    for price_ucr in (10, 10**9):
        town, ids = on_the_minute("ann", "bob")
        town.send(budget(None, "project", limit_ucr=10**9, **terms), BANK)
        town.send(budget(ids["bob"], limit_ucr=None, **terms), BANK)
        cfp = town.cfp(open_ms=3 * MINUTE_MS)
        town.bid(cfp, "bob", price_ucr)
        for _ in range(2):
            town.at_ms += MINUTE_MS
            town.tick()
        shapes.append([[len(value) for value in values] for values in notices_by_record(town)])
    assert shapes[0] == shapes[1]


def test_what_project_mates_hold_is_not_told() -> None:
    """Ann's notices are the same whether bob, who shares her project's budget, holds much or little."""
    read = []
    for price_ucr in (10, 400):
        town, _ = on_the_minute("ann", "bob")
        town.send(budget(None, "project", limit_ucr=1_000), BANK)
        long, short = town.cfp(open_ms=10_000), town.cfp()
        town.bid(long, "bob", price_ucr)
        town.bid(short, "ann", 50)
        town.settle(short)
        told = [notice for told in budgets_read(town, "ann") for notice in told]
        read.append([(x.limit_ucr, x.spent_ucr, x.warned) for x in told if isinstance(x, n.BudgetChanged)])
    assert read[0] == read[1]


def test_windows_that_may_move_credits_count_as_if_they_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record settles only as many of them as fit, though none of their accounts has anything to lose."""
    monkeypatch.setattr(shard, "DUE_ENTRIES_PER_COMMAND_MAX", 8)
    town, ids = on_the_minute("ann", "bob")
    for name in ("ann", "bob"):
        assert town.send(c.TransferCredits(ids[name], ids["manager"], 10**9, ""), BANK).code is Code.ACCEPTED
    for scope in ((ids["ann"], ""), (ids["bob"], ""), (None, "project")):
        town.send(budget(*scope, decay_permille=1), BANK)
    assert town.send(c.TransferCredits(ids["manager"], ids["bob"], 1, ""), BANK).code is Code.ACCEPTED
    town.at_ms += MINUTE_MS
    settled = [len(town.tick().of(e.BudgetWindowStarted)) for _ in range(3)]
    assert sum(settled) == 3
    assert settled[0] < 3


@pytest.mark.parametrize("rules", [1, 3])
@pytest.mark.parametrize("command", [budget(None, "project"), c.ClearBudget(None, "x"), c.TopUpBudget(None, "x", 1)])
def test_earlier_rules_have_no_budgets(rules: int, command: Command) -> None:
    """They answer so, whoever asks, and go on."""
    town, _ = small_town("ann", rules=rules)
    for keys in (BANK, ANN):
        assert town.send(command, keys).code is Code.UNKNOWN_RULES
    assert town.send(call(), MANAGER).code is Code.ACCEPTED


def test_new_rules_in_the_middle_of_a_market() -> None:
    """Budgets begin with them, and count what was held before."""
    town, ids = small_town("ann", rules=3)
    cfp = town.cfp(open_ms=5_000)
    town.bid(cfp, "ann", 60)
    assert town.send(c.ActivateRules(4), OPERATOR).code is Code.ACCEPTED
    assert town.send(budget(ids["ann"]), BANK).code is Code.ACCEPTED
    assert town.bid(town.cfp(), "ann", 41).code is Code.BUDGET_EXCEEDED
    assert town.bid(town.cfp(), "ann", 40).code is Code.ACCEPTED


@pytest.mark.parametrize("keys", [ANN, BOB])
def test_a_replayed_command_of_a_budget_has_one_effect(keys: KeyPair) -> None:
    """A top-up that is sent twice counts once; a bid that was refused stays refused when there is room again."""
    town, _ = on_the_minute("ann", "bob")
    town.send(budget(None, "project"), BANK)
    town.send(c.TopUpBudget(None, "project", 50), BANK)
    town.post(*town.records[-1])
    assert town.state.scopes["project"].most_ucr == 150
    cfp = town.cfp(open_ms=5_000)
    assert town.bid(cfp, "ann" if keys is ANN else "bob", 151).code is Code.BUDGET_EXCEEDED
    refused = town.records[-1]
    town.send(c.ClearBudget(None, "project"), BANK)
    assert town.post(*refused).code is Code.BUDGET_EXCEEDED
    assert not town.state.bids


def test_the_example_of_the_docs() -> None:
    """docs/budgets.md, number by number."""
    town, _ = small_town(units=4)
    hour_ms, day_ms = 60 * MINUTE_MS, 24 * 60 * MINUTE_MS
    starts_at_ms = town.at_ms
    for name, credits_ucr in (("ann", 500), ("bob", 100)):
        opened = town.send(c.OpenAccount(name, "vision", "root", key_pair(name).public, inbox_key(name)), BANK).id
        town.send(c.IssueCredits(opened, credits_ucr, ""), BANK)
    ann, bob = (town.state.accounts[town.state.account_names[name]] for name in ("ann", "bob"))
    vision = {"limit_ucr": 500, "allowance_ucr": 400, "decay_permille": 100, "cap_allowances": 2}
    town.send(budget(None, "vision", **vision, window_ms=hour_ms, offset_ms=starts_at_ms % hour_ms), BANK)
    town.send(budget(ann.id, limit_ucr=300, window_ms=day_ms, offset_ms=starts_at_ms % day_ms), BANK)

    def counts() -> list[tuple[int, int, int | None]]:
        return [(b.spent_ucr, b.held_ucr, b.room_ucr) for b in (town.state.scopes[ann.id], town.state.scopes["vision"])]

    cfp = town.cfp(reserve_price_ucr=90)
    town.bid(cfp, "ann", 120)
    assert counts() == [(0, 120, 180), (0, 120, 380)]
    assert town.settle(cfp)[0].price_ucr == 90
    assert counts() == [(90, 0, 210), (90, 0, 410)]
    cfp = town.cfp(reserve_price_ucr=100)
    assert town.bid(cfp, "ann", 211).code is Code.BUDGET_EXCEEDED
    assert town.bid(cfp, "bob", 100).code is Code.ACCEPTED
    town.settle(cfp)
    assert counts() == [(90, 0, 210), (190, 0, 310)]
    for _ in range(60):
        town.at_ms += MINUTE_MS
        town.tick()
    assert counts() == [(90, 0, 210), (0, 0, 500)]
    assert (ann.balance_ucr, bob.balance_ucr) == (400, 200)


@pytest.mark.parametrize(("rules", "ends"), [(8, [(400, 400), (360 + 400, 760)]), (9, [(400, 355), (315 + 400, 715)])])
def test_the_example_of_what_is_owed(rules: int, ends: list[tuple[int, int]]) -> None:
    """docs/budgets.md, number by number: what carl has and can spend at the ends of two hours."""
    town, ids = small_town(rules=rules)
    hour_ms, starts_at_ms = 60 * MINUTE_MS, town.at_ms
    ids["carl"] = town.account("carl", credits_ucr=600)
    carl = town.state.accounts[ids["carl"]]
    terms = {"limit_ucr": None, "allowance_ucr": 400, "decay_permille": 100, "window_ms": hour_ms}
    town.send(budget(carl.id, **terms, offset_ms=starts_at_ms % hour_ms), BANK)
    found = []
    for minute in range(1, 121):
        if minute == 45:
            cfp = town.cfp(open_ms=MINUTE_MS, reserve_price_ucr=600)
            town.bid(cfp, "carl", 600)
        town.at_ms += MINUTE_MS
        town.tick()
        if minute % 60 == 0:
            found.append((carl.balance_ucr, carl.available_ucr))
    assert found == ends
