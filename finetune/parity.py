"""`usher finetune parity`: whether the trained planner writes the same plans on every engine that may run it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

from tqdm import tqdm

from agent.context import PlannerContext
from agent.grammar import plan_grammar
from agent.llm import Engine, EngineError, Request, complete
from agent.llm_http import HTTPEngine
from agent.llm_openvino import OpenVINOEngine
from agent.llm_transformers import TransformersEngine
from agent.messages import planner_messages
from agent.plan import MAX_TOKENS
from agent.settings import Settings
from finetune.example import read_examples
from tools.errors import UsherError
from tools.schema import Manifest


@dataclass(frozen=True)
class Parity:
    """What each engine wrote for each message, in the same order."""

    messages: tuple[str, ...]
    plans: Mapping[str, tuple[str, ...]]

    def shares(self) -> dict[tuple[str, str], float]:
        """Share of identical plans of each pair of engines."""
        return {
            (one, other): sum(a == b for a, b in zip(self.plans[one], self.plans[other], strict=True))
            / len(self.messages)
            for one, other in combinations(self.plans, 2)
        }

    def differing(self) -> list[int]:
        """Places of the messages whose plans are not all the same."""
        return [place for place, plans in enumerate(zip(*self.plans.values(), strict=True)) if len(set(plans)) > 1]


def run_parity(prompts: Path, count: int, url: str, settings: Settings) -> None:
    """Plan the same prompts by peft, by the merged GGUF and, with a URL, on that server; print shares and differences.

    Raises EngineError when an engine has no trained planner, and UsherError or CatalogError for what cannot be read.
    """
    requests = parity_requests(prompts, Manifest.read(settings.catalog), count)
    engines: dict[str, Engine] = {"peft": TransformersEngine(settings), "gguf": OpenVINOEngine(settings)}
    if url:
        engines["server"] = HTTPEngine(settings.model_copy(update={"llm_url": url}))
    try:
        parity = compare(engines, requests)
    finally:
        for engine in engines.values():
            engine.close()
    for (one, other), share in parity.shares().items():
        print(f"{one} and {other}: {share:.1%} of {len(requests)} plans are the same")
    for place in parity.differing():
        print(f"\n{parity.messages[place]}")
        for name, plans in parity.plans.items():
            print(f"  {name:<7} {plans[place]}")


def parity_requests(file: Path, manifest: Manifest, count: int) -> list[Request]:
    """The first planner's examples about this catalog, as requests under its grammar.

    Raises UsherError when the file has fewer, for instance because it was made from another catalog.
    """
    grammar = plan_grammar(manifest)
    card = planner_messages(manifest, PlannerContext(message=""))[0]
    mine = (example for example in read_examples(file) if example.role == "planner" and example.messages[0] == card)
    requests = [Request("planner", example.messages, MAX_TOKENS, grammar) for example in islice(mine, count)]
    if len(requests) < count:
        raise UsherError(
            f"{file}: {len(requests)} of {count} prompts are about the catalog {manifest.name}; "
            "ask for fewer with --n, or make the file from this catalog"
        )
    return requests


def compare(engines: Mapping[str, Engine], requests: Sequence[Request]) -> Parity:
    """Each engine's plans, one engine after the other. Raises EngineError for one without a trained planner."""
    for name, engine in engines.items():
        if not engine.trained("planner"):
            raise EngineError(f"{name} ({engine.name}): has no trained planner; nothing to compare")
    plans = {
        name: tuple(complete(engine, request) for request in tqdm(requests, desc=name))
        for name, engine in engines.items()
    }
    return Parity(tuple(request.messages[-1].content for request in requests), plans)
