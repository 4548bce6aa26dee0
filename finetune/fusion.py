"""`usher finetune fusion`: from recorded dialogues to the ranking of a catalog."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from agent.learning import learn
from agent.recorded import Turn, read_texts, read_turn
from tools.catalog import LEARNED, Catalog
from tools.errors import UsherError


def learn_fusion(data: Path, catalog: Path, remember: bool, out: Path) -> None:
    """Write the learned ranking below `out`, and print its strongest signals.

    Raises UsherError naming the file and the line of what cannot be used, CatalogError for the catalog.
    """
    turns = list(_turns(data))
    with Catalog.open(catalog) as opened:
        ranking = learn(opened, turns, remember)
        build = opened.manifest.build_hash
        ranking.save(
            out,
            {
                "data": data.name,
                "data_sha256": sha256(data.read_bytes()).hexdigest(),
                "turns": len(turns),
                "dialogues": len({turn.dialogue for turn in turns}),
                "catalog": build,
            },
        )
    strength = {name: weight for name, (_, _, weight) in ranking.weights.json().items()}
    for name in sorted(strength, key=lambda one: -abs(strength[one]))[:12]:
        print(f"{strength[name]:+.3f}  {name}")
    print(f"learned from {len(turns)} turns; written to {out / LEARNED}")


def _turns(data: Path) -> Iterator[Turn]:
    found: set[str] = set()
    for number, text in read_texts(data):
        try:
            turn = read_turn(text)
        except UsherError as error:
            raise UsherError(f"{data}: line {number}: {error}") from error
        if turn.id in found:
            raise UsherError(f"{data}: line {number}: the id {turn.id} came before")
        found.add(turn.id)
        yield turn
