"""How a ranking is learned from recorded dialogues: what the tools said of each turn, and what was suggested next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.dialogues import MEMORIES, NO_FOLD, Memory
from agent.fusion import Case, thinned
from agent.learned import OWN, Ranking, Weights, described, recalled
from agent.recorded import Turn, fold_of
from agent.signals import Candidates, Listening, Matrix, Talk, hear
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.mentions import find_mentions

BATCH = 256  # texts embedded at once


@dataclass(frozen=True)
class Heard:
    """A turn as the tools see it."""

    talk: Talk
    candidates: Candidates

    @property
    def fold(self) -> int:
        return fold_of(self.talk.dialogue)


def listen(catalog: Catalog, turns: Sequence[Turn]) -> dict[str, Heard]:
    """What the tools say of each turn, by its id, and of all that was ever suggested: other dialogues may bring it."""
    suggested = {row for turn in turns for item_id in turn.gold if (row := catalog.row_of(item_id)) is not None}
    besides, listening = np.array(sorted(suggested), dtype=np.int64), Listening(catalog)
    find = cache(find_mentions)  # the turns of a dialogue share their messages
    talks = {
        turn.id: hear(catalog, [(one.role, one.content) for one in turn.messages], turn.dialogue, find)
        for turn in tqdm(turns, desc="titles", dynamic_ncols=True)
    }
    texts = {text for talk in talks.values() for text in (talk.said, talk.last)}
    vectors = _embedded(catalog, sorted(texts, key=len))
    found = {}
    for turn_id, talk in tqdm(talks.items(), desc="signals", dynamic_ncols=True):
        within = np.ones(len(catalog), dtype=np.bool_)
        within[talk.named] = False  # whoever names a title needs it no more
        held = listening.candidates(talk, vectors[talk.said], vectors[talk.last], within, besides)
        found[turn_id] = Heard(talk, held)
    return found


def _embedded(catalog: Catalog, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Unit vectors of texts; many at once are several times as fast as one by one."""
    found: dict[str, NDArray[np.float32]] = {}
    for start in tqdm(range(0, len(texts), BATCH), desc="vectors", dynamic_ncols=True):
        batch = list(texts[start : start + BATCH])
        found |= zip(batch, catalog.dense.embed(batch), strict=True)
    return found


def remembered(catalog: Catalog, turns: Sequence[Turn], heard: Mapping[str, Heard]) -> Memory:
    """What the turns led to."""
    held = [heard[turn.id].candidates for turn in turns]
    return Memory.of(catalog, turns, np.stack([one.request for one in held]), np.stack([one.taste for one in held]))


def cases(
    catalog: Catalog, heard: Mapping[str, Heard], gold: Mapping[str, Sequence[str]], memory: Memory | None, fold: int
) -> list[Case]:
    """What the turns of the other folds teach, seen without the fold."""
    draw, found = np.random.default_rng(max(fold, 0)), []
    for turn_id, one in heard.items():
        if one.fold != fold:
            wanted = [row for item_id in gold[turn_id] if (row := catalog.row_of(item_id)) is not None]
            held, matrix = known(one, memory, fold)
            if np.isin(held.rows, wanted).any():
                found.append(thinned(Case(matrix, np.isin(held.rows, wanted)), draw))
    return found


def known(one: Heard, memory: Memory | None, fold: int) -> tuple[Candidates, Matrix]:
    """The candidates that the tools bring, and those that dialogues outside the fold and other than the turn's own
    suggested, with their features (candidates, FEATURES). That an item comes from nowhere would give away the answer.
    """
    remembered = recalled(one.talk, one.candidates, memory, fold)
    kept = one.candidates.brought() | (remembered[:, MEMORIES.index("suggested")] > 0)
    held = one.candidates.only(kept)
    return held, described(one.talk, held, remembered[kept])


def learn(catalog: Catalog, turns: Sequence[Turn], remember: bool) -> Ranking:
    """The ranking that all of the turns teach; with the dialogues themselves, or, unless it is to `remember` them,
    weights for catalogs that know nothing of them. Raises UsherError where they suggest nothing that could be found.
    """
    heard = listen(catalog, turns)
    memory = remembered(catalog, turns, heard) if remember else None
    gold = {turn.id: [item_id for item_id in turn.gold if item_id not in turn.mentioned] for turn in turns}
    learned = cases(catalog, heard, gold, memory, NO_FOLD)
    if not learned:
        raise UsherError("none of the dialogues suggests an item of the catalog that the tools find; give others")
    weights = Weights.learned(learned, () if remember else OWN)
    return Ranking(Listening(catalog), weights, memory)
