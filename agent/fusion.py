"""A learned fusion: one weight a signal, so that the softmax of the weighted sum over a turn's candidates is likeliest
for what was wanted (conditional logit, McFadden 1974; the listwise loss of ListNet, Cao et al. 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from agent.signals import Matrix

RIDGE = 20.0  # weight of the squared weights against the log-likelihood, in turns
OTHERS = 200  # candidates of a turn, drawn at random, that the wanted ones are learned against
STEPS = 100  # of L-BFGS at most

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One turn to learn from: the candidates' features, shape (candidates, features), and which are wanted."""

    features: Matrix
    wanted: NDArray[np.bool_]  # (candidates,)


@dataclass(frozen=True)
class Fusion:
    """`weights` are of features less `mean` over `spread`, all of shape (features,)."""

    mean: Matrix
    spread: Matrix
    weights: Matrix

    def score(self, features: Matrix) -> Matrix:
        """Shape (candidates,)."""
        return np.asarray(((features - self.mean) / self.spread) @ self.weights, dtype=np.float32)


def fit(cases: Sequence[Case], ridge: float = RIDGE) -> Fusion:
    """Learn from turns that each have a wanted candidate. Raises ValueError without any."""
    if not cases:
        raise ValueError("no turn has a wanted candidate")
    sizes = np.array([len(case.wanted) for case in cases])
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    features = np.concatenate([case.features for case in cases])
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6] = 1.0
    scaled = (features - mean) / spread
    share = np.concatenate([case.wanted / case.wanted.sum() for case in cases]).astype(np.float32)

    def loss(weights: Floats) -> tuple[float, Floats]:
        """Negative log-likelihood with the ridge, and its gradient."""
        scores = scaled @ weights.astype(np.float32)
        scores -= np.repeat(np.maximum.reduceat(scores, starts), sizes)
        powers = np.exp(scores)
        sums = np.add.reduceat(powers, starts)
        likelihood = float((share * (scores - np.repeat(np.log(sums), sizes))).sum())
        slope = scaled.T @ (powers / np.repeat(sums, sizes) - share)
        return ridge * float(weights @ weights) / 2 - likelihood, slope.astype(np.float64) + ridge * weights

    found = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return Fusion(mean, spread, found.x.astype(np.float32))


def thinned(case: Case, draw: np.random.Generator) -> Case:
    """All that is wanted, and OTHERS of the rest."""
    wanted, rest = np.flatnonzero(case.wanted), np.flatnonzero(~case.wanted)
    kept = np.concatenate([wanted, draw.choice(rest, min(OTHERS, len(rest)), replace=False)])
    return Case(case.features[kept], case.wanted[kept])
