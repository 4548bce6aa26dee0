"""The learned fusion finds the signal there is, and what it remembers of dialogues keeps the scored ones out."""

from copy import copy
from pathlib import Path

import numpy as np
import pytest

from agent.dialogues import MEMORIES, NO_FOLD, Memory
from agent.fusion import Case, fit, thinned
from agent.recorded import FOLDS, Said, Turn, fold_of
from agent.signals import FEATURES, SEARCHES, SIGNALS, Candidates, Matrix, Talk, features
from agent.stance import Stance
from tools.catalog import Catalog
from tools.errors import CatalogError


def cases(count: int, seed: int) -> list[Case]:
    """Thirty candidates a turn; the first feature decides, the second is noise, the third always the same."""
    draw, made = np.random.default_rng(seed), []
    for _ in range(count):
        matrix = draw.normal(size=(30, 3)).astype(np.float32)
        matrix[:, 2] = 7.0
        wanted = np.zeros(30, dtype=np.bool_)
        wanted[int(np.argmax(matrix[:, 0] + draw.gumbel(scale=0.5, size=30)))] = True
        made.append(Case(matrix, wanted))
    return made


def test_the_signal_is_found_and_the_noise_is_not() -> None:
    fusion = fit(cases(400, seed=1), ridge=1.0)
    signal, noise, constant = fusion.weights / fusion.spread
    assert signal == pytest.approx(2.0, abs=0.25)  # Gumbel noise of scale 0.5 is a conditional logit of weight 2
    assert abs(noise) < 0.2
    assert abs(constant) < 1e-6
    firsts = [np.argmax(fusion.score(case.features)) for case in cases(300, seed=2)]
    hits = [case.wanted[first] for case, first in zip(cases(300, seed=2), firsts, strict=True)]
    assert np.mean(hits) > 0.25  # chance is one in thirty


def test_a_stronger_ridge_shrinks_the_weights() -> None:
    made = cases(100, seed=3)
    assert np.abs(fit(made, ridge=1000.0).weights).sum() < np.abs(fit(made, ridge=1.0).weights).sum()


def test_nothing_wanted_cannot_be_learned_from() -> None:
    with pytest.raises(ValueError, match="no turn"):
        fit([])


def test_thinning_keeps_all_that_is_wanted() -> None:
    wanted = np.zeros(900, dtype=np.bool_)
    wanted[[5, 800]] = True
    case = Case(np.arange(900, dtype=np.float32)[:, None], wanted)
    kept = thinned(case, np.random.default_rng(0))
    assert len(kept.wanted) == 202
    assert sorted(kept.features[kept.wanted].ravel()) == [5, 800]
    assert len(np.unique(kept.features)) == 202


def test_features_know_missing_from_low() -> None:
    matrix = np.full((3, len(SIGNALS)), np.nan, dtype=np.float32)
    matrix[:, SIGNALS.index("words")] = [4.0, np.nan, 8.0]
    found = dict(zip(FEATURES, features(matrix).T, strict=True))
    assert found["words"].tolist() == [0.5, 0.0, 1.0]
    assert found["words rank"].tolist() == pytest.approx([1 / 1.1, 0.0, 1.0])
    for name in SEARCHES:
        if name != "words":
            assert not found[name].any()
            assert not found[f"{name} rank"].any()


def turn(dialogue: str, number: int, mentioned: list[str], gold: list[str]) -> Turn:
    said = (Said(role="user", content="x"),)
    return Turn(id=f"{dialogue}-{number}", messages=said, mentioned=tuple(mentioned), gold=tuple(gold))


def asked(request: Matrix, taste: Matrix) -> Candidates:
    none = np.empty(0, dtype=np.int64)
    return Candidates(none, np.empty((0, len(SIGNALS)), dtype=np.float32), {}, request, taste)


def named_in(fold: int, count: int) -> list[str]:
    return [name for name in map(str, range(1000)) if fold_of(name) == fold][:count]


def test_memory_forgets_the_fold_and_the_dialogue_it_is_asked_for(tiny_catalog: Catalog) -> None:
    mine, theirs, others = named_in(0, 1)[0], named_in(0, 2)[1], named_in(1, 2)
    gold, shared, wanted = (str(item_id) for item_id in tiny_catalog.ids[[3, 4, 5]])
    turns = [
        turn(mine, 1, [shared], [gold]),
        turn(theirs, 1, [shared], [gold]),
        turn(others[0], 1, [shared], [wanted]),
        turn(others[1], 1, [], [wanted, gold]),
    ]
    requests = np.eye(4, dtype=np.float32)
    tastes = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 0]], dtype=np.float32)
    memory = Memory.of(tiny_catalog, turns, requests, tastes)
    talk = Talk(mine, (Stance(4, "user", 0, "liked"),), "x", "x")

    def signals(fold: int) -> dict[str, list[float]]:
        found = memory.signals(talk, asked(requests[2], tastes[0]), fold)[[3, 4, 5]]
        return dict(zip(MEMORIES, found.T.tolist(), strict=True))

    blind = signals(fold=0)  # knows the two dialogues of fold 1
    assert blind["suggested"] == pytest.approx(np.log1p([1, 0, 2]))
    assert blind["came up"] == pytest.approx(np.log1p([1, 1, 2]))
    assert blind["together"][2] > 0
    assert blind["together"][0] == 0  # came up with the shared title only in its own fold
    assert np.argmax(blind["alike"]) == np.argmax(blind["closest"]) == 2  # the request is the third turn's
    assert blind["closest"][0] < blind["alike"][0]  # suggested after a request that is nothing like it
    assert np.argmax(blind["kin"]) == 2  # the fourth turn's person named nothing

    learning = signals(fold=1)  # a turn that is learned from knows its fold, but not itself
    assert learning["suggested"] == pytest.approx(np.log1p([1, 0, 0]))
    for fold in range(FOLDS):
        known = np.expm1(memory.signals(talk, asked(requests[0], tastes[0]), fold)[:, 0])
        elsewhere = [turn for turn in turns if fold_of(turn.dialogue) != fold and turn.dialogue != mine]
        assert known.sum() == pytest.approx(sum(len(turn.gold) for turn in elsewhere), abs=1e-4)
        told = sum(len(turn.gold) for turn in turns if fold_of(turn.dialogue) != fold)
        assert memory.suggestions(fold).sum() == told


def test_what_was_remembered_outlives_the_catalog_it_was_learned_on(tiny_catalog: Catalog, tmp_path: Path) -> None:
    first, second, gone = (str(item_id) for item_id in tiny_catalog.ids[[3, 4, 5]])
    turns = [turn("a", 1, [first], [second]), turn("b", 1, [], [gone, first])]
    requests, tastes = np.eye(2, 8, dtype=np.float32), np.zeros((2, 8), dtype=np.float32)
    Memory.of(tiny_catalog, turns, requests, tastes).save(tmp_path / "m.npz", tiny_catalog)
    again = Memory.load(tmp_path / "m.npz", tiny_catalog)
    assert again.suggestions(NO_FOLD)[[3, 4, 5]].tolist() == [1.0, 1.0, 1.0]
    other = copy(tiny_catalog)  # the same items in another order, one of them gone
    order = [row for row in reversed(range(len(tiny_catalog))) if row != 5]
    other.ids, other.__dict__["_rows"] = tiny_catalog.ids[order], {}
    del other.__dict__["_rows"]
    moved = Memory.load(tmp_path / "m.npz", other)
    assert {str(other.ids[row]) for row in np.flatnonzero(moved.suggestions(NO_FOLD))} == {first, second}
    assert moved.named.sum() == 3  # of the four that came up, one is gone
    (tmp_path / "m.npz").write_bytes(b"no archive")
    with pytest.raises(CatalogError, match=r"m\.npz.*finetune fusion"):
        Memory.load(tmp_path / "m.npz", tiny_catalog)
