"""The report on an award, once as text and once as one HTML file that needs nothing else: the same sections in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from analytics.award import Case, Offer, case_of, price_of
from analytics.award_evidence import Evidence, evidence_of
from analytics.ledger import ledger_with, moment_text
from analytics.verify.source import RecordSource
from contractnet.cli.durations import duration_text
from contractnet.money import credits_text

TEMPLATE = "award.html"
_LOTS = (
    "Equal scores draw lots, SHA-256 of chain head, call, and budget root or account, the smallest first: one bid of "
    "each root in turn, a root's own by account; before version 10 of the rules by account alone."
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with facts, a table, or both, and a remark."""

    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    marked: int | None = None
    """The row that it is about."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """An award in words."""

    title: str
    answer: str
    sections: list[Section]

    def text(self) -> str:
        """For a terminal. Names of others are as they are: whoever prints it escapes them."""
        lines = [self.title, self.answer]
        for section in self.sections:
            lines += ["", section.title]
            width = max((len(label) for label, _ in section.facts), default=0)
            lines += [f"  {label:{width}}  {value}" for label, value in section.facts]
            lines += _table(section)
            lines += [f"  {section.remark}"] if section.remark else []
        return "\n".join(lines)

    def html(self) -> str:
        """One HTML page without scripts and without anything from elsewhere; all text is escaped."""
        templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
        return templates.get_template(TEMPLATE).render(report=self)


def report(data_dir: Path, market: str, given: str, source: RecordSource | None) -> Report:
    """The report on the award whose id is, or begins with, `given`; without a source, without what is stored in the
    topics. Raises QueryError where there is no such award or no publication, and what the source raises."""
    with ledger_with("awards", data_dir) as connection:
        case = case_of(connection, market, given)
        evidence = None if source is None else evidence_of(connection, source, case)
    return told(case, evidence)


def told(case: Case, evidence: Evidence | None) -> Report:
    """An award and its evidence in words."""
    award, price = case.award, price_of(case)
    verb = "is promised" if case.buys else "pays"
    sections = [_call(case), _ranking(case, evidence), _price(case), _lock(case), _postings(case), _later(case)]
    return Report(
        f"Award {award['award_id']}",
        f"{award['agent']} of {award['project']} won and {verb} {credits_text(award['price_ucr'])} credits. "
        f"{price.sentence}",
        [*sections, _stored(case, evidence)],
    )


def _call(case: Case) -> Section:
    cfp = case.cfp
    slots = f"{cfp['slots']} x {cfp['units']} units for {duration_text(cfp['duration_ms'])}"
    facts = [
        ("id", cfp["cfp_id"]),
        ("manager", cfp["manager"]),
        ("direction", "BUY: the lowest asks win" if case.buys else "SELL: the highest bids win"),
        ("what", f"{slots} of {cfp['pool']}" if cfp["pool"] else f"work of {slots}"),
        ("ceiling" if case.buys else "reserve", credits_text(cfp["reserve_price_ucr"])),
        ("pricing", f"{cfp['pricing']}, awarded by {'its manager' if cfp['award'] == 'MANAGER' else 'the market'}"),
        ("opened", _moment(cfp["opened_at"])),
        ("bids until", _moment(cfp["closes_at"])),
        ("ended", f"{_moment(cfp['closed_at'])}: {cfp['status']}" if cfp["closed_at"] else "not yet"),
    ]
    if case.buys:
        facts.append(("cost of delay", f"{credits_text(cfp['delay_cost_per_s_ucr'])} a second"))
    if cfp["by_invitation"]:
        facts.append(("open to", "the invited alone"))
    if cfp["resale_of"]:
        facts.append(("sells on", f"the lease of award {cfp['resale_of']}"))
    return Section("Call", facts)


def _ranking(case: Case, evidence: Evidence | None) -> Section:
    score = "(price + delay) / weight" if case.buys else "price x weight"
    columns = ("rank", "agent", "project", "price", "weight", "starts in", score, "claim", "became", "bid")
    tied = _tied(case.offers)
    draws = evidence is not None and bool(tied)
    rows: list[tuple[str, ...]] = []
    for offer in case.offers:
        row = offer.row
        drew = _drew(case, evidence, row) if evidence and offer in tied else ""
        cells = (
            str(offer.rank or "-"),
            row["agent"],
            row["project"],
            credits_text(row["price_ucr"]),
            f"{row['weight_permille'] / 1000:g}",
            duration_text(row["start_delay_ms"]),
            f"{float(offer.score) / 1e6:.6f}".rstrip("0").rstrip("."),
            _claim(row),
            row["reason"] or row["status"],
            row["bid_id"],
        )
        rows.append((*cells, drew) if draws else cells)
    remark = _LOTS if tied else ""
    marked = next(i for i, offer in enumerate(case.offers) if offer is case.offer)
    return Section("Ranking", [], (*columns, "drew") if draws else columns, rows, marked, remark)


def _drew(case: Case, evidence: Evidence, row: dict[str, Any]) -> str:
    """The lots of a bidder's budget root and of its account, as far as they are needed to tell them apart."""
    names = (row["budget_root"].encode(), bytes.fromhex(row["account_id"]))
    return " / ".join(evidence.draw(case.cfp["cfp_id"], name)[:12] for name in names)


def _claim(row: dict[str, Any]) -> str:
    """What the bidder said of its task; points are those of its class and no credits."""
    if row["claim_priority"] is None:
        return ""
    return f"{row['claim_priority']}, {row['claim_expected_value_points']} points"


def _tied(offers: Sequence[Offer]) -> list[Offer]:
    scores = [offer.score for offer in offers if offer.rank is not None]
    return [offer for offer in offers if offer.rank is not None and scores.count(offer.score) > 1]


def _price(case: Case) -> Section:
    price, award = price_of(case), case.award
    facts = [
        ("its own price", credits_text(award["bid_price_ucr"])),
        ("is promised" if case.buys else "pays", credits_text(award["price_ucr"])),
        ("because", price.sentence),
    ]
    if price.bid_id is not None:
        facts.append(("set by bid", price.bid_id))
    if case.work is not None:
        paid = case.work["paid_ucr"]
        facts.append(("paid", "nothing yet" if paid is None else credits_text(paid)))
    return Section("Price", facts)


def _lock(case: Case) -> Section:
    lease = case.reservation
    facts = [
        ("lease", f"{lease['units']} units of {lease['pool']}"),
        ("from", _moment(lease["starts_at"])),
        ("until", _moment(lease["ends_at"])),
        ("is", lease["status"]),
        ("slot", f"{case.award['slot']} of {case.cfp['slots']}, from 0"),
        ("fencing token", f"partition {case.award['partition']}, {case.award['command_offset']}.{case.award['index']}"),
    ]
    hold = case.hold
    if hold is not None:
        facts.append(("held", f"{credits_text(hold['amount_ucr'])} from {_moment(hold['placed_at'])} on"))
    if hold is not None and hold["status"] == "captured":
        freed, taken = credits_text(hold["released_ucr"]), credits_text(hold["captured_ucr"])
        facts.append(("of it", f"{taken} captured, {freed} free again"))
    return Section("Lock", facts)


def _postings(case: Case) -> Section:
    rows = [
        (_moment(p["transferred_at"]), p["reason"], p["debit"], p["credit"], credits_text(p["amount_ucr"]))
        for p in case.postings
    ]
    return Section("Postings", [], ("when", "reason", "from", "to", "credits"), rows, None, "" if rows else "None.")


def _later(case: Case) -> Section:
    rows = [(_moment(row["moment"]), row["what"]) for row in case.later]
    return Section("Afterwards", [], ("when", "what"), rows, None, "" if rows else "Nothing yet.")


def _stored(case: Case, evidence: Evidence | None) -> Section:
    award = case.award
    facts = [("ledger", f"partition {award['partition']}, offset {award['ledger_offset']}")]
    facts.append(("published", moment_text(case.published_at)))
    if evidence is None:
        remark = "Signatures and chain are in the topics, which were not read. `contractnet verify` checks all of them."
        return Section("Records", facts, remark=remark)
    facts += [("chain head before", evidence.head_before.hex()), ("chain head after", evidence.head_after.hex())]
    rows = [
        (
            one.what,
            f"{one.ledger_offset}",
            f"{one.command_offset}",
            "not signed: time went on" if one.key is None else "holds" if one.holds else "DOES NOT HOLD",
            one.by,
            one.key or "",
            one.record_sha256,
        )
        for one in evidence.signed
    ]
    columns = ("what", "ledger offset", "command offset", "signature", "of", "key", "SHA-256 of the command")
    remark = (
        "That the award follows from the commands, and the chain from the ledger, is what `contractnet verify` checks."
    )
    return Section("Records", facts, columns, rows, None, remark)


def _table(section: Section) -> list[str]:
    if not section.rows:
        return []
    widths = [max(len(cells[i]) for cells in (section.columns, *section.rows)) for i in range(len(section.columns))]
    return [
        ("> " if i == section.marked else "  ")
        + "  ".join(f"{c:{w}}" for c, w in zip(cells, widths, strict=True)).rstrip()
        for i, cells in enumerate((section.columns, *section.rows), start=-1)
    ]


def _moment(at: Any) -> str:
    assert isinstance(at, datetime)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"
