"""What the classifier learns from: each tender once, and bids where a tender has both kinds."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from analytics.screens import features, training
from analytics.screens.bids import Bids, read
from analytics.screens.columns import choose
from tests.analytics.screens.tenders import HEADER, write


def table(tmp_path: Path, seed: int, *, mixed: bool) -> tuple[Bids, features.Features]:
    """Forty tenders of five bids with honest and rigged firms of different ages. Of a rigged tender all bids are
    collusive, or with `mixed` those of the two oldest firms."""
    draw, made = random.Random(seed), list[list[object]]()
    for tender in range(40):
        old = [not tender % 2 or place < 2 for place in range(5)] if not mixed else [place < 2 for place in range(5)]
        rigged = [is_old and not tender % 2 for is_old in old]
        for is_rigged, is_old in zip(rigged, old, strict=True):
            age = draw.gauss(20 if (is_rigged if mixed else is_old) else 10, 3)
            made.append([f"T{tender}", round(draw.uniform(90, 110), 2), int(is_rigged), round(age, 3), tender**1.5])
    bids = read(write(tmp_path / "bids.csv", made, [*HEADER, "Age", "Estimate"]), "Collusive")
    return bids, features.build(bids, choose(bids))


def test_columns_of_a_tender_have_one_value_in_it(tmp_path: Path) -> None:
    """A column that differs within a tender has its mean beside it, one that does not is a tender's own."""
    bids, found = table(tmp_path, 1, mixed=False)
    of_tender = [found.names[i] for i in found.of_tender]
    assert of_tender[-3:] == ["Estimate", "mean of log_bid", "mean of Age"]
    assert not {"Age", "rank", "log_bid", "mean of Estimate"} & set(of_tender)
    ages = np.array([float(age) for age in bids.columns["Age"]])
    for at in features.tenders_of(bids).values():
        assert (
            np.ptp(found.values[np.ix_(at, found.of_tender)], axis=0)[
                ~np.isnan(found.values[at[0], found.of_tender])
            ].max()
            == 0
        )
        assert np.allclose(found.values[at, found.names.index("mean of Age")], ages[at].mean())


def test_a_tender_counts_once_however_many_bids_it_has() -> None:
    """Bids repeated a hundred times change nothing, and a tender of both kinds of bids counts by their shares."""
    values = np.array([[0.0], [1.0], [1.0], [1.0], [1.0], [2.0]])
    label = np.array([False, False, True, True, True, True])
    few = training.OneRowATender(LogisticRegression()).fit(values, label).predict_proba(values)
    often = np.repeat(np.arange(6), [100, 1, 1, 1, 1, 7])
    assert np.allclose(
        few, training.OneRowATender(LogisticRegression()).fit(values[often], label[often]).predict_proba(values)
    )
    plain = LogisticRegression().fit(
        [[0.0], [1.0], [1.0], [2.0]], [False, False, True, True], sample_weight=[1, 0.25, 0.75, 1]
    )
    assert np.allclose(few, plain.predict_proba(values))


def test_bids_are_told_apart_where_a_tender_has_both_kinds(tmp_path: Path) -> None:
    """Trees on bids are there for labels that differ within a tender, and find them; where labels do not, they are
    not."""
    for mixed, members in ((True, ["tenders", "linear", "bids"]), (False, ["tenders", "linear"])):
        bids, found = table(tmp_path, 2, mixed=mixed)
        label, tender = np.array(bids.label), np.array(bids.tender)
        model = training.classifier(label, tender, found.of_tender, 0)
        assert [name for name, _ in model.estimators] == members
        scores = training.measure(bids, found, 3, 1, lambda _done, _of: None)
        assert sum(score.auc for score in scores) / 3 > 0.9
