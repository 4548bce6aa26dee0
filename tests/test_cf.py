"""`usher eval cf`: one split, filters in processes of their own, figures checked by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from eval.cf import OURS, Asked, all_likes, fit, judge, run_cf, split
from eval.cf_rivals import best
from tools.catalog import Catalog
from tools.errors import UsherError


def test_a_split_loses_nothing_and_shares_nothing() -> None:
    likes = csr_matrix((np.random.default_rng(1).random((30, 40)) < 0.3).astype(np.float32))
    learned, held = split(likes, 0.2, seed=1)
    assert (learned + held != likes).nnz == 0
    assert learned.multiply(held).nnz == 0
    assert 0.1 < held.nnz / likes.nnz < 0.3
    again, _ = split(likes, 0.2, seed=1)
    assert (again != learned).nnz == 0


def test_a_ranking_leaves_out_what_was_known_and_what_nobody_can_score() -> None:
    likes = csr_matrix(np.array([[1.0, 0, 0, 0]]))
    ranked = best(lambda _: np.array([9.0, 1.0, np.nan, 2.0]), likes, 0)
    assert ranked.tolist() == [3, 1, -1, -1]


def test_figures_by_hand() -> None:
    lists = np.array([[2, 1, 0], [0, 1, -1], [0, 1, 2]])
    test = csr_matrix(np.array([[0.0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]))
    found = judge(lists, test)
    assert found.shape == (2, 2)  # nothing was held out of the third person
    ideal = 1 + 1 / np.log2(3)
    np.testing.assert_allclose(found, [[1 / np.log2(3) / ideal, 0.5], [1.0, 1.0]])


def test_ours_and_popularity_run_and_are_compared(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_cf(Asked(tiny_folder, tmp_path / "run", names=("popularity", OURS)))
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(found["rows"]) == {"popularity", OURS}
    assert found["rows"][OURS]["training s"]["mean"] > 0
    assert found["rows"][OURS]["peak MB"]["mean"] > 10
    assert found["differences"]["popularity"]["less"] == OURS
    assert (tmp_path / "run" / "report.html").is_file()
    assert OURS in capsys.readouterr().out


def test_a_missing_library_is_named_with_its_install_line(tiny_catalog: Catalog, tmp_path: Path) -> None:
    fitted = fit("LensKit ALS", {}, all_likes(tiny_catalog), Asked(tiny_catalog.folder, tmp_path))
    if not isinstance(fitted, str):
        pytest.skip("LensKit is installed")
    assert fitted.startswith("not installed: python -m venv")


def test_an_interpreter_that_is_not_there_is_an_error(tiny_catalog: Catalog, tmp_path: Path) -> None:
    asked = Asked(tiny_catalog.folder, tmp_path, pythons={"implicit": "/nowhere/python"})
    with pytest.raises(UsherError, match=r"implicit ALS: .*nowhere"):
        fit("implicit ALS", {}, all_likes(tiny_catalog), asked)


def test_a_filter_that_fails_says_why(tiny_catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UsherError, match="usher EASE: TypeError"):
        fit(OURS, {"nonsense": 1}, all_likes(tiny_catalog), Asked(tiny_catalog.folder, tmp_path))
