"""Figures worked out by hand, and compared with another library on random rankings."""

import math
import random
from collections.abc import Callable

import pytest

from eval.metrics import FIGURES, figures, ndcg, places, recall, reciprocal_rank, unnamed


def test_places_are_counted_without_the_items_named_before() -> None:
    # b and d were named: a c e f are left, so c stands second and f fourth; x is not ranked.
    assert places("abcdef", "cfx", "bd") == [2, 4, None]


def test_gold_named_before_is_no_gold() -> None:
    assert unnamed("abca", {"b"}) == ("a", "c")
    assert unnamed("b", {"b"}) == ()


def test_recall_by_hand() -> None:
    found = [2, 4, None]
    assert [recall(found, k) for k in (1, 2, 3, 4, 50)] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])


def test_reciprocal_rank_by_hand() -> None:
    assert reciprocal_rank([4, 2, None]) == 0.5
    assert reciprocal_rank([None]) == 0.0


def test_ndcg_by_hand() -> None:
    # Gains at 2 and 4: 1/log2(3) + 1/log2(5) = .6309 + .4307; the best three stand at 1, 2, 3: 1 + .6309 + .5.
    assert ndcg([2, 4, None], 10) == pytest.approx((0.63093 + 0.43068) / (1 + 0.63093 + 0.5), abs=1e-5)
    assert ndcg([2, 4, None], 3) == pytest.approx(0.63093 / 2.13093, abs=1e-5)
    # Of more wanted items than k, k make a perfect ranking.
    assert ndcg([1, 2, 3], 2) == 1.0


def test_figures_stand_in_their_order() -> None:
    assert dict(zip(FIGURES, figures([1]), strict=True)) == dict.fromkeys(FIGURES, 1.0)
    assert dict(zip(FIGURES, figures([15, None]), strict=True)) == {
        "R@1": 0.0, "R@10": 0.0, "R@20": 0.5, "R@50": 0.5, "MRR": 1 / 15, "nDCG@10": 0.0,
    }  # fmt: skip


def test_what_cannot_be_counted_is_refused() -> None:
    measures: tuple[Callable[[], float], ...] = (
        lambda: recall([], 1),
        lambda: reciprocal_rank([]),
        lambda: ndcg([], 1),
    )
    for measure in measures:
        with pytest.raises(ValueError, match="nothing is wanted"):
            measure()
    with pytest.raises(ValueError, match="twice"):
        places("aba", "b")


def test_a_shuffled_ranking_scores_chance() -> None:
    """Of 200 items in random order, k / 200 of the gold stand among the first k; within four standard errors."""
    chance, tries, items = random.Random(3), 4000, [str(item) for item in range(200)]
    sums = dict.fromkeys((1, 10, 50), 0.0)
    for _ in range(tries):
        found = places(chance.sample(items, len(items)), chance.sample(items, 2))
        for k in sums:
            sums[k] += recall(found, k)
    for k, total in sums.items():
        share = k / len(items)
        assert total / tries == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / tries))


def test_the_same_as_another_library() -> None:
    measures = pytest.importorskip("ir_measures", reason="pip install ir-measures")
    chance = random.Random(5)
    runs, wanted, ours = {}, {}, {}
    for case in range(60):
        items = [f"i{item}" for item in range(chance.randint(1, 120))]
        ranking = chance.sample(items, len(items))
        gold = chance.sample([*items, "absent", "never"], chance.randint(1, min(6, len(items))))
        name = f"q{case}"
        runs[name] = {item: 1000.0 - place for place, item in enumerate(ranking)}
        wanted[name] = dict.fromkeys(gold, 1)
        ours[name] = dict(zip(FIGURES, figures(places(ranking, gold)), strict=True))
    theirs = {measures.parse_measure(name): name for name in (*FIGURES[:4], "RR", FIGURES[5])}
    compared = 0
    for measured in measures.iter_calc(list(theirs), wanted, runs):
        name = theirs[measured.measure]
        assert ours[measured.query_id]["MRR" if name == "RR" else name] == pytest.approx(measured.value, abs=1e-6)
        compared += 1
    assert compared == 60 * len(FIGURES)
