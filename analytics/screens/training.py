"""Learning from labelled tenders, measured on tenders that were not learned from.

A tender's bids are all in the training part or all in the test part. All that is chosen (the calibration, the
threshold, the direction of the CV screen) is chosen on the training part; the classifier's settings are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from analytics.screens.bids import Bids
from analytics.screens.features import SCREENS, Features, Table
from contractnet.errors import TendersError

Rows = NDArray[np.intp]
Progress = Callable[[int, int], None]
TRAIN_SHARE = 0.8
TREES = 100
TENDER_TREES = 300
QUANTILES = 50
FOLDS = 5
# Tenders of each kind (with and without collusive bids): with fewer, folds and test parts lack one kind.
TENDERS_MIN = 5
_DRAWS_PER_REPETITION = 20
_BINS = 10


@dataclass(frozen=True, slots=True)
class Score:
    """One repetition. `ece`: expected calibration error in ten bins of equal width. `cv_*`: the CV screen alone, a
    tender an observation; `majority`: the accuracy (not balanced) of calling every bid what most training bids are."""

    balanced_accuracy: float
    auc: float
    brier: float
    ece: float
    cv_balanced_accuracy: float
    cv_auc: float
    majority: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over repetitions with a 95% interval."""

    mean: float
    low: float
    high: float


def measure(bids: Bids, features: Features, repetitions: int, seed: int, progress: Progress) -> list[Score]:
    """The scores of so many random splits. Raises TendersError where there are too few tenders of a kind."""
    label, tender = np.array(bids.label), np.array(bids.tender)
    _need_both(label, tender)
    scores: list[Score] = []
    progress(0, repetitions)
    for train, test in _splits(label, tender, repetitions, seed):
        scores.append(_score(features, label, tender, train, test, seed + len(scores)))
        progress(len(scores), repetitions)
    if len(scores) < repetitions:
        raise TendersError("Most splits lack one kind of tender in their test part: there are too few of it.")
    return scores


def transfer(known: tuple[Bids, Features], other: tuple[Bids, Features], seed: int) -> Score:
    """Train on all tenders of one file and test on all of another, on the features that mean the same in both."""
    (bids, features), (bids_2, features_2) = known, other
    width = features.transferable
    joined = Features(
        features.names[:width],
        np.vstack([features.values[:, :width], features_2.values[:, :width]]),
        width,
        [i for i in features.of_tender if i < width],
    )
    label = np.array(bids.label + bids_2.label)
    tender = np.array([f"1 {name}" for name in bids.tender] + [f"2 {name}" for name in bids_2.tender])
    rows = np.arange(len(label))
    _need_both(label[: len(bids.label)], tender[: len(bids.label)])
    if len(set(bids_2.label)) < 2:
        raise TendersError("The file to test on has one kind of label only: there is nothing to tell apart.")
    return _score(joined, label, tender, rows[: len(bids.label)], rows[len(bids.label) :], seed)


def interval(values: list[float], test_share: float = 1 - TRAIN_SHARE) -> Interval:
    """Mean and 95% interval of repeated random splits, whose parts overlap: variance times 1/n + test/train (Nadeau &
    Bengio, "Inference for the generalization error", Machine Learning 2003), Student's t with n - 1 degrees.

    All measures lie in 0 to 1, and the interval ends there.
    """
    n, mean = len(values), math.fsum(values) / len(values)
    if n < 2:
        return Interval(mean, math.nan, math.nan)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = float(student.ppf(0.975, n - 1)) * math.sqrt(variance * (1 / n + test_share / (1 - test_share)))
    return Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0))


class OneRowATender(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that learns from each tender once, however many bids it has, from columns that have one value in
    it. A tender of both kinds of bids is two rows, which weigh as much as their shares."""

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(self, values: Table, label: NDArray[np.bool_]) -> OneRowATender:
        """Learn from rows of bids; rows that agree in all columns are one tender. None may be missing."""
        _, of, bids = np.unique(values, axis=0, return_inverse=True, return_counts=True)
        pairs, first, count = np.unique(
            np.column_stack([of.ravel(), label]), axis=0, return_index=True, return_counts=True
        )
        weight = count / bids[pairs[:, 0]]
        self.estimator_ = clone(self.estimator).fit(values[first], label[first], sample_weight=weight)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, values: Table) -> NDArray[np.bool_]:
        """The likelier class, a row a bid."""
        return np.asarray(self.estimator_.predict(values))

    def predict_proba(self, values: Table) -> Table:
        """Chances of the classes, a row a bid."""
        return np.asarray(self.estimator_.predict_proba(values))


def classifier(
    label: NDArray[np.bool_], tender: NDArray[np.str_], of_tender: list[int], seed: int
) -> StackingClassifier:
    """Extremely randomized trees (Geurts et al. 2006) and a logistic regression on ranks, both on one row a tender, and
    where a tender has bids of both kinds also trees on bids; another regression weighs and calibrates their chances as
    they are on folds not learned from, which keep tenders whole (Wolpert 1992).

    Trees need hundreds of tenders, the regression gets along with tens of them.
    """
    seed %= 2**32
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    trees = ExtraTreesClassifier(TENDER_TREES, class_weight="balanced", min_samples_leaf=2, random_state=seed)
    ranks = QuantileTransformer(n_quantiles=QUANTILES, output_distribution="normal", random_state=0)
    linear = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
    chosen = ColumnTransformer([("of_tender", SimpleImputer(strategy="median"), of_tender)])
    members = [
        ("tenders", make_pipeline(chosen, OneRowATender(trees))),
        ("linear", make_pipeline(chosen, ranks, OneRowATender(linear))),
    ]
    if set(tender[label]) & set(tender[~label]):
        bids = ExtraTreesClassifier(TREES, class_weight="balanced", bootstrap=True, random_state=seed)
        members.append(("bids", bids))
    return StackingClassifier(members, LogisticRegression(), cv=list(folds.split(label[:, None], label, tender)))


def _need_both(label: NDArray[np.bool_], tender: NDArray[np.str_]) -> None:
    collusive, honest = len(set(tender[label])), len(set(tender[~label]))
    if min(collusive, honest) < TENDERS_MIN:
        raise TendersError(
            f"There are {collusive} tenders with collusive bids and {honest} with others: at least {TENDERS_MIN} of "
            f"each are needed to learn from some and test on the rest."
        )


def _splits(
    label: NDArray[np.bool_], tender: NDArray[np.str_], repetitions: int, seed: int
) -> Iterator[tuple[Rows, Rows]]:
    """Random splits by tender, the r-th seeded with seed + r; one whose parts lack a kind of bid is not scored, and the
    next is drawn."""
    taken = 0
    for draw in range(repetitions * _DRAWS_PER_REPETITION):
        splitter = GroupShuffleSplit(1, train_size=TRAIN_SHARE, random_state=(seed + draw) % 2**32)
        train, test = next(splitter.split(label[:, None], label, tender))
        kinds = (len(set(tender[train][label[train]])), len(set(tender[train][~label[train]])))
        if min(kinds) > 1 and len(set(label[test])) == 2:
            yield train, test
            taken += 1
        if taken == repetitions:
            return


def _score(
    features: Features, label: NDArray[np.bool_], tender: NDArray[np.str_], train: Rows, test: Rows, seed: int
) -> Score:
    model = classifier(label[train], tender[train], features.of_tender, seed).fit(features.values[train], label[train])
    chance = model.predict_proba(features.values[test])[:, 1]
    # Of a calibrated chance, the share of collusive bids in training is the threshold that balances both errors.
    share = float(label[train].mean())
    cv = features.values[:, SCREENS.index("cv")]
    cv_balanced, cv_auc = _cv_alone(cv, label, tender, train, test)
    return Score(
        balanced_accuracy=float(balanced_accuracy_score(label[test], chance >= share)),
        auc=float(roc_auc_score(label[test], chance)),
        brier=float(brier_score_loss(label[test], chance)),
        ece=calibration_error(label[test], chance),
        cv_balanced_accuracy=cv_balanced,
        cv_auc=cv_auc,
        majority=float((label[test] == (share >= 0.5)).mean()),
    )


def calibration_error(label: NDArray[np.bool_], chance: Table) -> float:
    """Mean distance between predicted chance and observed share over ten bins of equal width, weighted by bids."""
    bin_of = np.minimum((chance * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(float(label[at].mean() - chance[at].mean())) * at.mean() for b in set(bin_of) if (at := bin_of == b).any()
    ]
    return float(sum(gaps))


def _cv_alone(
    cv: Table, label: NDArray[np.bool_], tender: NDArray[np.str_], train: Rows, test: Rows
) -> tuple[float, float]:
    """Balanced accuracy and AUC of CV by tender; a tender is collusive where half of its bids are. NaN where the test
    part has one kind. Sign and threshold come from the training part; tenders without CV count as its median."""
    known, truth = _by_tender(cv, label, tender, train)
    asked, answer = _by_tender(cv, label, tender, test)
    if len(set(truth)) < 2 or len(set(answer)) < 2:
        return math.nan, math.nan
    middle = float(np.nanmedian(known)) if not np.isnan(known).all() else 0.0
    known, asked = np.nan_to_num(known, nan=middle), np.nan_to_num(asked, nan=middle)
    sign = 1 if roc_auc_score(truth, known) >= 0.5 else -1
    cuts = np.unique(sign * known)
    best = max(cuts, key=lambda cut: balanced_accuracy_score(truth, sign * known >= cut))
    return (
        float(balanced_accuracy_score(answer, sign * asked >= best)),
        float(roc_auc_score(answer, sign * asked)),
    )


def _by_tender(
    cv: Table, label: NDArray[np.bool_], tender: NDArray[np.str_], rows: Rows
) -> tuple[Table, NDArray[np.bool_]]:
    names, first, of = np.unique(tender[rows], return_index=True, return_inverse=True)
    share = np.bincount(of, label[rows]) / np.bincount(of, minlength=len(names))
    return cv[rows][first], share >= 0.5
