"""Every scorer passes one shared class; each adds what is its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tools.bm25_search import BM25, BM25Config
from tools.cf_recommend import EASE, EASEConfig
from tools.dense_search import Dense, DenseConfig
from tools.scorer import FitData, Query, Scorer, top

DOCUMENTS = (
    "A baker waits for a comet.",
    "Two brothers cross a salt desert.",
    "A detective searches a ferry at night.",
    "",
    "A comet returns and a baker laughs.",
)
# people x items; nobody rated the item in row 3
RATINGS = np.array(
    [[5, 4, 0, 0, 5], [4, 0, 1, 0, 5], [0, 5, 5, 0, 0], [2, 5, 4, 0, 1], [5, 0, 0, 0, 4], [0, 4, 5, 0, 0]], dtype=float
)
DATA = FitData(DOCUMENTS, csr_array(RATINGS), [f"u{index}" for index in range(len(RATINGS))])


class ScorerContract:
    """What the tools rely on, whatever the scorer."""

    scorer: type[Any]
    config: Any
    query: Query
    unknown: int  # a row the scorer knows nothing of
    nothing: Query  # a query that says nothing to it

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls) -> Scorer:
        fitted: Scorer = cls.scorer.fit(DATA, cls.config)
        return fitted

    def test_it_scores_every_item(self, fitted: Scorer) -> None:
        scores = fitted.score(self.query)
        assert scores.shape == (len(DOCUMENTS),)
        assert scores.dtype == np.float32

    def test_what_it_knows_nothing_of_is_nan_and_not_zero(self, fitted: Scorer) -> None:
        scores = fitted.score(self.query)
        assert np.isnan(scores[self.unknown])
        assert np.isfinite(scores).any()

    def test_a_query_that_says_nothing_scores_nothing(self, fitted: Scorer) -> None:
        assert np.isnan(fitted.score(self.nothing)).all()

    def test_the_same_query_scores_the_same(self, fitted: Scorer) -> None:
        np.testing.assert_array_equal(fitted.score(self.query), fitted.score(self.query))

    def test_what_is_saved_and_loaded_scores_the_same(self, fitted: Scorer, tmp_path: Path) -> None:
        fitted.save(tmp_path / "part")
        loaded = self.scorer.load(tmp_path / "part")
        np.testing.assert_array_equal(loaded.score(self.query), fitted.score(self.query))


class TestBM25(ScorerContract):
    scorer, config = BM25, BM25Config()
    query, unknown, nothing = Query(text="the baker and the comet"), 3, Query(text="zeppelin")

    def test_the_document_with_the_words_is_first(self, fitted: BM25) -> None:
        assert set(top(fitted.score(self.query), 2)) == {0, 4}


class TestBM25s(TestBM25):
    config = BM25Config(large=2)


class TestDense(ScorerContract):
    scorer, config = Dense, DenseConfig()
    query, unknown, nothing = Query(text="police on a boat"), 3, Query(text="  ")

    def test_the_document_with_the_meaning_is_first(self, fitted: Dense) -> None:
        assert top(fitted.score(self.query), 1)[0] == 2

    def test_an_item_is_no_neighbour_of_its_own(self, fitted: Dense) -> None:
        assert np.isnan(fitted.neighbours(0)[0])
        assert top(fitted.neighbours(0), 1)[0] == 4


class TestEASE(ScorerContract):
    scorer, config = EASE, EASEConfig(l2=1.0)
    query, unknown, nothing = Query(liked=[0]), 3, Query()

    def test_people_who_like_the_same_decide(self, fitted: EASE) -> None:
        scores = fitted.score(Query(liked=[0]))
        scores[0] = np.nan
        assert top(scores, 1)[0] == 4

    def test_a_dislike_pulls_its_neighbours_down(self, fitted: EASE) -> None:
        liked, both = fitted.score(Query(liked=[1])), fitted.score(Query(liked=[1], disliked=[0]))
        assert both[4] < liked[4]

    def test_a_person_it_was_fitted_on_is_their_likes(self, fitted: EASE) -> None:
        np.testing.assert_allclose(fitted.score(Query(user_id="u4")), fitted.score(Query(liked=[0, 4])), rtol=1e-4)

    def test_a_person_nobody_knows_says_nothing(self, fitted: EASE) -> None:
        assert not fitted.knows("someone")
        assert np.isnan(fitted.score(Query(user_id="someone"))).all()


def ease_by_the_paper(likes: Any, l2: float) -> Any:
    """B of Steck 2019, equation 8, written down as it stands there."""
    p = np.linalg.inv(likes.T @ likes + l2 * np.eye(likes.shape[1]))
    b = np.eye(len(p)) - p / np.diag(p)
    return b - np.diag(np.diag(b))


@pytest.mark.parametrize("people", [4, 40])
def test_both_sides_of_ease_give_the_papers_numbers(people: int) -> None:
    random = np.random.default_rng(people)
    likes = (random.random((people, 12)) < 0.4).astype(float)
    likes[0] = 1.0
    ease = EASE.fit(
        FitData([""] * 12, csr_array(likes * 5), [str(index) for index in range(people)]), EASEConfig(l2=3.0)
    )
    person = np.zeros(12)
    person[[2, 7]] = 1.0
    np.testing.assert_allclose(ease.score(Query(liked=[2, 7])), person @ ease_by_the_paper(likes, 3.0), atol=1e-4)


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8).map(" ".join), min_size=2, max_size=12), st.data())
def test_rank_bm25_and_bm25s_rank_alike(documents: list[str], data: st.DataObject) -> None:
    corpus = [[f"w{letter}" for letter in document.split()] for document in [*documents, "a"]]
    query = Query(
        text=" ".join(f"w{letter}" for letter in data.draw(st.lists(st.sampled_from("abcdefgh"), min_size=1)))
    )
    small, large = BM25.of_tokens(corpus, BM25Config()), BM25.of_tokens(corpus, BM25Config(large=1))
    np.testing.assert_allclose(small.score(query), large.score(query), rtol=1e-3, atol=1e-4)


@given(
    st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=30),
    st.integers(1, 40),
    st.data(),
)
def test_top_is_a_stable_sort_without_the_unknown(scores: list[int | None], k: int, data: st.DataObject) -> None:
    array = np.array([np.nan if score is None else score for score in scores], dtype=np.float32)
    inside = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    wanted = sorted(
        (row for row in range(len(scores)) if inside[row] and scores[row] is not None), key=lambda row: -array[row]
    )
    assert top(array, k, inside).tolist() == wanted[:k]
