"""The learned rows: what they are made of, and that nothing of a scored fold reaches what scores it."""

from collections.abc import Sequence

import numpy as np
import pytest

from agent.dialogues import MEMORIES, NO_FOLD
from agent.learned import DEPENDENT, FEATURES, WHEN, circumstances, made_of
from agent.learning import Heard, known, listen, remembered
from agent.recorded import FOLDS, Said, Turn, fold_of
from agent.signals import FEATURES as OF_TOOLS
from agent.signals import Talk
from agent.stance import Stance
from eval.learned import PARTS, WHOLE, learned_rows
from tools.catalog import Catalog

SAID = ("I loved Salt Road, another western?", "a comedy about robots", "something scary", "I liked Small Thunder")


def turns(catalog: Catalog, dialogues: int, moved: int = -1) -> list[Turn]:
    """One turn a dialogue; in the fold `moved` other items are suggested."""
    made = []
    for number in range(dialogues):
        name = f"d{number}"
        wanted = (7 * number + (11 if fold_of(name) == moved else 0)) % len(catalog)
        said = (Said(role="user", content=SAID[number % len(SAID)]),)
        made.append(Turn(id=f"{name}-1", messages=said, gold=(str(catalog.ids[wanted]),)))
    return made


def rows_of(catalog: Catalog, made: Sequence[Turn]) -> tuple[dict[str, Heard], dict[str, dict[str, list[int]]]]:
    heard = listen(catalog, made)
    gold = {turn.id: turn.gold for turn in made}
    rankers = learned_rows(catalog, heard, gold, remembered(catalog, made, heard))
    return heard, {name: {turn.id: rank(turn.id).rows.tolist() for turn in made} for name, rank in rankers.items()}


def test_what_was_suggested_in_a_fold_changes_nothing_in_how_it_is_ranked(tiny_catalog: Catalog) -> None:
    made = turns(tiny_catalog, 24)
    scored = fold_of(made[0].dialogue)
    heard, before = rows_of(tiny_catalog, made)
    _, after = rows_of(tiny_catalog, turns(tiny_catalog, 24, moved=scored))
    inside = [name for name, one in heard.items() if one.fold == scored]
    outside = [name for name in heard if name not in inside]
    assert {one.fold for one in heard.values()} == set(range(FOLDS))
    assert {*before} == {"popularity in other dialogues", WHOLE, *PARTS}
    for row, ranked in before.items():
        assert {name: ranked[name] for name in inside} == {name: after[row][name] for name in inside}
        assert all(sorted(rows) == list(range(len(tiny_catalog))) for rows in ranked.values())
    assert any(before[WHOLE][name] != after[WHOLE][name] for name in outside)  # where it may be known, it counts


def test_every_feature_has_a_name_of_its_own_and_every_part_some() -> None:
    assert len(set(FEATURES)) == len(FEATURES) == len(OF_TOOLS) + len(MEMORIES) + len(WHEN) * len(DEPENDENT)
    assert {"words", "words rank", "words, at first"} <= made_of("words")
    assert made_of("words").isdisjoint(made_of("meaning"))
    assert all(part and part < set(FEATURES) for part in PARTS.values())


@pytest.mark.parametrize(
    ("said", "last", "row", "holds"),
    [
        ("hi", "hi", None, (True, True, False)),
        ("x " * 100, "x", 3, (False, False, True)),
        ("a b", "b", 3, (False,) * 3),
    ],
)
def test_circumstances_are_told_apart(said: str, last: str, row: int | None, holds: tuple[bool, ...]) -> None:
    named = () if row is None else (Stance(row, "user", 0, "liked"),)
    signals = np.random.default_rng(1).normal(size=(5, len(OF_TOOLS) + len(MEMORIES))).astype(np.float32)
    blocks = circumstances(Talk("d", named, said, last), signals)
    assert [bool(block.any()) for block in blocks] == list(holds)
    for block in blocks:
        assert block.shape == (5, len(DEPENDENT))
        np.testing.assert_allclose(block.mean(axis=0), 0.0, atol=1e-6)  # a turn's own level says nothing


def test_where_an_item_comes_from_does_not_give_the_answer_away(
    tiny_catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only a turn's own dialogue suggested is among its candidates just if a tool brings it."""
    monkeypatch.setattr("agent.signals.DEPTH", 2)
    monkeypatch.setattr("agent.signals.POPULAR", 2)
    made = turns(tiny_catalog, 12)
    heard = listen(tiny_catalog, made)
    memory = remembered(tiny_catalog, made, heard)
    hidden = 0
    for turn in made:
        one = heard[turn.id]
        wanted = tiny_catalog.row_of(turn.gold[0])
        brought = one.candidates.rows[one.candidates.brought()].tolist()
        held, _ = known(one, memory, (one.fold + 1) % FOLDS)
        if wanted not in (*brought, *one.talk.named) and memory.suggestions(NO_FOLD)[wanted] == 1:
            hidden += 1
            assert wanted in one.candidates.rows
            assert wanted not in held.rows
        alone, _ = known(one, None, NO_FOLD)
        assert alone.rows.tolist() == brought
    assert hidden
