"""Means of what was measured, with the uncertainty that comes from having asked about these cases and not others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
BLOCK = 500  # resamples drawn at once, so that memory stays small with thousands of units
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval; `n` is how many cases it is a mean of."""

    mean: float
    low: float
    high: float
    n: int

    def json(self) -> dict[str, float | int]:
        """With four digits."""
        return {"mean": round(self.mean, 4), "low": round(self.low, 4), "high": round(self.high, 4), "n": self.n}


Measures = dict[str, dict[str, Estimate]]  # by group of cases, then by measure


def interval(values: Floats) -> tuple[float, float]:
    """The 95% bootstrap interval (percentiles) of a mean; shape (units,)."""
    low, high = ratio_intervals(values[:, None], np.ones((len(values), 1)))[0]
    return float(low), float(high)


def ratio_intervals(hits: Floats, tries: Floats) -> Floats:
    """95% percentile bootstrap intervals of sum(hits) / sum(tries), both of shape (units, measures): (measures, 2).

    Whole units are drawn (Efron and Tibshirani 1993, chapter 8), so that what hangs together, such as the turns of one
    dialogue, stays together. A resample without a try says nothing and is left out.
    """
    ratios = np.concatenate([_ratios(weights, hits, tries) for weights in _resamples(len(hits))])
    return np.asarray(np.nanpercentile(ratios, [2.5, 97.5], axis=0).T)


def estimates(hits: Floats, tries: Floats, counts: NDArray[np.int64]) -> list[Estimate]:
    """An estimate of each measure; `hits` and `tries` as for `ratio_intervals`, none without a try."""
    means = hits.sum(axis=0) / tries.sum(axis=0)
    found = zip(means, ratio_intervals(hits, tries), counts, strict=True)
    return [Estimate(float(mean), float(low), float(high), int(n)) for mean, (low, high), n in found]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"median": float(np.median(values)), "p95": float(np.percentile(values, 95))}


def cell(estimate: Mapping[str, Any] | None) -> str:
    """An estimate of a results.json as a table shows it."""
    if estimate is None:
        return "-"
    return f"{estimate['mean']:.3f} ({estimate['low']:.3f}-{estimate['high']:.3f}) {estimate['n']:>4}"


def by_group(cases: Iterable[tuple[str, Sequence[str], Mapping[str, tuple[float, float]]]]) -> Measures:
    """Group of cases -> measure -> estimate; a measure of nothing is left out.

    A case is the unit it belongs to, the groups it counts in, and each measure's share: of how many it is right, and
    how many there were. Whole units are drawn for the intervals.
    """
    found = list(cases)
    units = {name: place for place, name in enumerate(dict.fromkeys(unit for unit, _, _ in found))}
    cells: dict[tuple[str, str], list[tuple[int, float, float]]] = {}
    for unit, groups, shares in found:
        for group in groups:
            for name, (hit, tried) in shares.items():
                cells.setdefault((group, name), []).append((units[unit], hit, tried))
    hits, tries = np.zeros((len(units), len(cells))), np.zeros((len(units), len(cells)))
    for column, shared in enumerate(cells.values()):
        for row, hit, tried in shared:
            hits[row, column] += hit
            tries[row, column] += tried
    counts = np.array([len(shared) for shared in cells.values()])
    made: Measures = {}
    for (group, name), estimate in zip(cells, estimates(hits, tries, counts), strict=True):
        made.setdefault(group, {})[name] = estimate
    return made


def paired_difference(first: Floats, second: Floats, tries: Floats) -> Estimate:
    """sum(first) / sum(tries) less sum(second) / sum(tries), all of shape (units,), with its 95% bootstrap interval.

    The same units are drawn for both, so that what makes a unit hard for both cancels out.
    """
    difference = first - second
    low, high = ratio_intervals(difference[:, None], tries[:, None])[0]
    return Estimate(float(difference.sum() / tries.sum()), float(low), float(high), len(tries))


def _resamples(units: int) -> Iterator[Floats]:
    """How often each unit was drawn, shape (resamples, units), in blocks."""
    random = np.random.default_rng(1)
    for start in range(0, RESAMPLES, BLOCK):
        size = min(BLOCK, RESAMPLES - start)
        places = random.integers(0, units, size=(size, units)) + units * np.arange(size)[:, None]
        yield np.bincount(places.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)


def _ratios(weights: Floats, hits: Floats, tries: Floats) -> Floats:
    over, under = weights @ hits, weights @ tries
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
