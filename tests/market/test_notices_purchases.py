"""What is told of CFPs that buy: asks stay sealed, and how work goes is for its manager and its contractor alone."""

from __future__ import annotations

from contractnet.codec import decode_notice, encode
from contractnet.messages import Code, Progress
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from contractnet.messages.names import MEMO_BYTES_MAX
from contractnet.sealing import LENGTH_BYTES
from market.notices import WORK_BUCKET_BYTES
from tests.market.buyers import BUYER, ask, bazaar, buying, started
from tests.market.test_notices_decisions import opened, record_of
from tests.market.town import Town, key_pair

STARTED, DONE, FAILED = Progress.STARTED, Progress.DONE, Progress.FAILED


def bought(b_asks_ucr: int, b_delays_ms: int, b_bond: int = 5) -> tuple[Town, list[bytes], list[bytes]]:
    """A CFP on which a and b ask; the bytes of all notices before the deadline, and at it."""
    town, _ = bazaar("a", "b")
    sealed = record_of(town, town.send(buying(bond_ucr=b_bond), BUYER))
    (cfp,) = town.state.cfps
    sealed += record_of(town, town.send(ask(cfp, "a", 50), key_pair("a")))
    sealed += record_of(
        town, town.send(ask(cfp, "b", b_asks_ucr, b_delays_ms, "task"[: b_delays_ms % 5]), key_pair("b"))
    )
    town.at_ms += 100
    return town, sealed, record_of(town, town.tick())


def test_asks_are_sealed_until_the_deadline() -> None:
    """The bytes before it are the same whatever b asks: receipts, and the call with its terms before it."""
    _, before, _ = bought(60, 0)
    _, same, at_deadline = bought(70, 2_000)
    assert before == same
    kinds = [type(decode_notice(value)) for value in before]
    assert kinds == [n.Receipt, n.PurchaseAnnounced, n.CfpAnnounced, n.Receipt, n.Receipt]
    public = [x for x in map(decode_notice, at_deadline) if not isinstance(x, n.SealedNotice)]
    assert [type(x) for x in public] == [n.LeaseGranted, n.CfpSettled]


def test_work_is_told_to_its_two_sides() -> None:
    """Start and result are sealed for both, all of one size, whatever the result; everybody else hears that a lease is
    over."""
    sizes = set()
    for result, progress in (("", STARTED), ("", DONE), ("x" * MEMO_BYTES_MAX, DONE), ("why", FAILED)):
        town, _, _ = bought(60, 0)
        ((award, work),) = town.state.works.items()
        if progress is DONE:
            town.send(started(award), key_pair("a"))
        answer = town.send(c.ReportWork(award, progress, result), key_pair("a"))
        assert answer.code is Code.ACCEPTED
        values = record_of(town, answer)
        public = [type(x) for x in map(decode_notice, values) if not isinstance(x, n.SealedNotice)]
        assert public == ([n.Receipt] if progress is STARTED else [n.Receipt, n.LeaseRevoked])
        sealed = sorted(len(x.box) for x in map(decode_notice, values) if isinstance(x, n.SealedNotice))
        assert sealed[:8] == sealed[:1] * 8
        sizes |= set(sealed[8:])
        assert len(sealed) == 10
        for name in ("buyer", "a"):
            told = [x for x in opened(town, values, name) if isinstance(x, n.WorkShown)]
            assert [(x.award, x.text, x.account) for x in told] == [(award, result, town.state.account_names[name])]
            assert [x.paid_ucr for x in told] == [work.price_ucr if progress is DONE else 0]
        assert not opened(town, values, "b")
    assert len(sizes) == 1


def test_the_longest_result_has_the_size_of_all() -> None:
    """A result of 256 bytes and the largest numbers fit into the one size of a notice of work."""
    ident = bytes([255]) * 16
    longest = n.WorkShown(ident, ident, ident, Progress.TIMED_OUT, 2**62, 10**15, "x" * MEMO_BYTES_MAX)
    assert LENGTH_BYTES + len(encode(longest)) <= WORK_BUCKET_BYTES
