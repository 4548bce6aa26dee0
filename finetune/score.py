"""`usher finetune score`: an adapter on a file of examples: the loss of the answers, and how many are written exactly.

What a plan does on a catalog is measured by `usher eval planner`; this needs no catalog and knows every role.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from agent.llm import Engine, EngineError, Request, Role, complete, engine
from agent.llm_transformers import load_base
from agent.models import adapters, model_path
from agent.settings import Settings
from finetune.batches import batches, encode
from finetune.example import Example, read_examples
from finetune.train import batch_losses
from tools.errors import UsherError

MAX_TOKENS = 220
ROWS = 8  # examples behind one card
LONGEST = 4096  # tokens behind the card


def run_score(role: Role, file: Path, count: int | None, settings: Settings, out: Path) -> None:
    """Print the loss with and without the adapter, and the share of exact answers by kind of example; write both to
    results.json in `out`.

    Raises EngineError when the role has no adapter, and UsherError for a file without examples of the role.
    """
    if role not in adapters(settings):
        raise EngineError(
            f"{settings.adapters / role}: no adapter here; train it with: usher finetune train --role {role}"
        )
    examples = list(islice((example for example in read_examples(file) if example.role == role), count))
    if not examples:
        raise UsherError(f"{file}: has no examples of the role {role}")
    with_adapter, without = losses(role, examples, settings)
    print(f"{role} on {len(examples)} examples of {file.name}")
    print(f"loss of the answers: {with_adapter:.4f} with the adapter, {without:.4f} without")
    with engine(settings) as opened:
        found = exact(opened, examples)
        name = opened.name
    by_kind: defaultdict[str, list[bool]] = defaultdict(list)
    for example, right in zip(examples, found, strict=True):
        by_kind["all"].append(right)
        by_kind[example.kind].append(right)
    shares = {kind: (float(np.mean(rights)), len(rights)) for kind, rights in sorted(by_kind.items())}
    print(f"exact by {name}:")
    for kind, (share, held) in shares.items():
        print(f"  {kind:<28} {share:>6.1%} of {held}")
    results = {
        "command": f"usher finetune score --role {role} --file {file.name} --n {len(examples)}",
        "date": date.today().isoformat(),
        "role": role,
        "file": file.name,
        "examples": len(examples),
        "engine": name,
        "loss": {"adapter": with_adapter, "base": without},
        "exact": shares,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def losses(role: Role, examples: Sequence[Example], settings: Settings) -> tuple[float, float]:
    """Mean cross-entropy as in training, with the adapter and without."""
    import torch
    from peft import PeftModel

    tokenizer, base = load_base(model_path(settings), torch.float32)
    model = PeftModel.from_pretrained(base, str(adapters(settings)[role])).eval()
    checks = list(batches([encode(tokenizer, example) for example in examples], ROWS, LONGEST, seed=0))

    def mean(said: str) -> float:
        with torch.inference_mode():
            found = [
                float(sum(batch_losses(model, batch, ROWS, "cpu"))) * len(batch.rows)
                for batch in tqdm(checks, desc=said)
            ]
        return sum(found) / sum(len(batch.rows) for batch in checks)

    with_adapter = mean("with the adapter")
    with model.disable_adapter():
        return with_adapter, mean("without")


def exact(opened: Engine, examples: Sequence[Example]) -> list[bool]:
    """Whether each answer is written word for word (greedy, no grammar), or the likeliest choice is the best one."""
    return [_exact(opened, example) for example in tqdm(examples, desc="exact")]


def _exact(opened: Engine, example: Example) -> bool:
    request = Request(example.role, example.messages, MAX_TOKENS)
    if not example.choices:
        return complete(opened, request).strip() == example.answer.strip()
    letters = [letter for letter, _ in example.choices]
    wanted = max(example.choices, key=lambda choice: choice[1])[0]
    return letters[int(np.argmax(opened.choose(request, letters)))] == wanted
