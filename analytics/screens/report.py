"""`contractnet screens`: from a file to the lines, or the JSON, of its report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from analytics.screens import features, training
from analytics.screens.bids import Bids, read
from analytics.screens.columns import Chosen, choose
from contractnet.errors import TendersError

REPETITIONS_MAX = 1_000
_MEASURES = {
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "brier": "Brier score",
    "ece": "calibration error",
    "cv_balanced_accuracy": "CV alone, by tender: balanced accuracy",
    "cv_auc": "CV alone, by tender: AUC",
    "majority": "majority class: accuracy (balanced: 0.5)",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. With `test` the classifier learns from `path` and is tested there, once."""

    path: Path
    label: str
    tender: str | None
    bid: str | None
    repetitions: int
    seed: int
    test: Path | None = None


def run(asked: Asked, progress: training.Progress) -> dict[str, object]:
    """Read, learn, measure: the report as plain values. Raises TendersError for files that it can't learn from."""
    if not 1 <= asked.repetitions <= REPETITIONS_MAX:
        raise TendersError(f"--repetitions is 1 to {REPETITIONS_MAX}.")
    bids = read(asked.path, asked.label, asked.tender, asked.bid)
    chosen = choose(bids)
    table = features.build(bids, chosen)
    if asked.test is not None:
        other = read(asked.test, asked.label, asked.tender, asked.bid)
        score = training.transfer((bids, table), (other, features.build(other, choose(other))), asked.seed)
        names = table.names[: table.transferable]
        return _about(bids, chosen, names, asked) | {"tested_on": str(asked.test), "scores": [asdict(score)]}
    scores = training.measure(bids, table, asked.repetitions, asked.seed, progress)
    found = {name: asdict(training.interval([getattr(score, name) for score in scores])) for name in _MEASURES}
    return _about(bids, chosen, table.names, asked) | {"measures": found, "scores": [asdict(score) for score in scores]}


def _about(bids: Bids, chosen: Chosen, names: list[str], asked: Asked) -> dict[str, object]:
    return {
        "file": str(asked.path),
        "bids": len(bids.label),
        "collusive_bids": sum(bids.label),
        "tenders": len(set(bids.tender)),
        "columns": {"tender": bids.tender_column, "bid": bids.bid_column, "label": bids.label_column},
        "rows_left_out": bids.left_out,
        "columns_left_out": chosen.left_out,
        "learned_from": names,
        "seed": asked.seed,
        "repetitions": asked.repetitions if asked.test is None else 1,
    }


def as_json(report: dict[str, object]) -> str:
    """The report as JSON; what could not be measured is null."""
    return json.dumps(_finite(report), ensure_ascii=True, indent=1)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def lines(asked: Asked, report: dict[str, object]) -> list[str]:
    """The report in words."""
    said: Callable[[str], object] = report.__getitem__
    columns, left_out = said("columns"), said("columns_left_out")
    assert isinstance(columns, dict)
    assert isinstance(left_out, dict)
    text = [
        f"{said('bids')} bids ({said('collusive_bids')} collusive) in {said('tenders')} tenders; tender: "
        f"{columns['tender']}, bid: {columns['bid']}, label: {columns['label']}"
    ]
    rows = said("rows_left_out")
    assert isinstance(rows, dict)
    text += [f"left out: {count} rows, {why}" for why, count in rows.items()]
    text += [f"left out: column {name}: {why}" for name, why in left_out.items()]
    learned = said("learned_from")
    assert isinstance(learned, list)
    text.append("learned from: " + ", ".join(learned))
    if asked.test is not None:
        scores = said("scores")
        assert isinstance(scores, list)
        text.append(f"trained on {asked.path.name}, tested on {asked.test.name}:")
        return text + [f"  {words:42} {scores[0][name]:.3f}" for name, words in _MEASURES.items()]
    measures = said("measures")
    assert isinstance(measures, dict)
    text.append(f"{said('repetitions')} splits of 80/20 by tender, seed {said('seed')}; means and 95% intervals:")
    for name, words in _MEASURES.items():
        found = measures[name]
        text.append(f"  {words:42} {found['mean']:.3f}  [{found['low']:.3f}, {found['high']:.3f}]")
    return text
