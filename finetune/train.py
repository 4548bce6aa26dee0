"""Train one role's LoRA adapter (Hu et al. 2021): transformers + peft, loss on the answer alone, exact resume.

All rows of a step share their card (the system message) and stand behind it (finetune.attention). The card is read
without gradients: what it should come to mean is learned where the rows read it, for a third of the work.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from tqdm import tqdm

from agent.llm import Role
from agent.llm_transformers import load_base
from agent.models import IDENTITY, base_model, model_path, write_identity
from agent.settings import Settings
from finetune.attention import Prefix, behind, register
from finetune.batches import Batch, Row, batches, encode
from finetune.example import read_examples
from tools.errors import UsherError

CONFIGS = Path(__file__).parent / "config"


class TrainConfig(BaseModel):
    """Every number of a role's training; finetune/config/ROLE.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    r: int
    alpha: int
    dropout: float = 0.0
    targets: tuple[str, ...]
    learning_rate: float
    b_ratio: float = 1.0  # how much faster B learns than A
    warmup: float  # share of the steps
    final: float  # share of the learning rate that the last step has
    weight_decay: float = 0.0
    clip: float = 1.0  # gradient norm
    rows: int  # examples a step, behind one card
    at_once: int  # of them, whose activations are in memory together
    passes: float  # over the data
    longest: int  # tokens of a row; longer ones are left out
    held_out: int  # examples whose loss is measured and never trained on
    first_layer: int = 0  # layers from here on are adapted; those below it need no backward pass
    seed: int
    save_every: int  # steps
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the machine has instructions for it


@dataclass(frozen=True)
class Run:
    """Where a training stands: files of its work folder, which make it go on exactly where it was killed."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state.pt"

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"


def read_config(role: Role, path: Path | None) -> TrainConfig:
    """Raises UsherError naming the file and the key."""
    file = path or CONFIGS / f"{role}.yaml"
    try:
        return TrainConfig.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsherError(f"{file}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsherError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def train(
    role: Role,
    data: Path,
    config: TrainConfig,
    settings: Settings,
    device: str,
    run: Run,
    out: Path,
    start: Path | None = None,
) -> None:
    """Train on a file of examples and write the adapter to `out`/ROLE in bf16, with its identity and its curves.

    `start` is the folder of an adapter of the same shape that it goes on from; its prompt may be an older one.
    Raises UsherError for a broken data file before the model is loaded.
    """
    import torch
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    examples = [example for example in read_examples(data) if example.role == role]
    if len(examples) <= config.held_out:
        raise UsherError(f"{data}: {len(examples)} examples of the role {role}; training needs over {config.held_out}")
    torch.manual_seed(config.seed)
    tokenizer, base = load_base(model_path(settings), computed_in(config.dtype, device))
    base.set_attn_implementation(register())
    lora = LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        layers_to_transform=list(range(config.first_layer, base.config.num_hidden_layers)),
        task_type="CAUSAL_LM",
    )
    model: Any = get_peft_model(base, lora).to(device)
    if start is not None:
        set_peft_model_state_dict(model, load_file(start / "adapter_model.safetensors"))
    encoded = [encode(tokenizer, example) for example in tqdm(examples, desc="tokens")]
    random.Random(config.seed).shuffle(encoded)
    held, encoded = encoded[: config.held_out], encoded[config.held_out :]
    steps = list(_steps(encoded, config))
    checks = list(batches(held, config.rows, config.longest, 0))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(_groups(model, config), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, len(steps), config))
    run.folder.mkdir(parents=True, exist_ok=True)
    done = _resume(run, model, optimizer, schedule)
    bar = tqdm(total=len(steps), initial=done, desc=f"train {role}")
    for number in range(done, len(steps)):
        started = time.perf_counter()
        model.train()
        loss = 0.0
        for part in batch_losses(model, steps[number], config.at_once, device):
            part.backward()
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(weights, config.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - started
        entry = {"step": number + 1, "loss": loss, "tokens_s": steps[number].tokens / seconds}
        bar.update()
        bar.set_postfix(loss=f"{entry['loss']:.3f}", tok_s=f"{entry['tokens_s']:.0f}")
        last = number + 1 == len(steps)
        if last or (number + 1) % config.save_every == 0:
            entry["held_out"] = held_out_loss(model, checks, config.at_once, device)
            _save(run, model, optimizer, schedule, number + 1)
        with run.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    bar.close()
    _write_adapter(model, out / role, base_model(settings).base)
    made = {"seed": config.seed, "examples": len(encoded), "steps": len(steps)}
    write_identity(out / role, role, settings, made | _before(start), data)
    draw_curves(run.log, out / role / "curves.png")


def computed_in(dtype: str, device: str) -> Any:
    """The torch type of a configuration's `dtype`. A CPU that has to play bfloat16 is twenty times as slow in it."""
    import torch

    if dtype == "auto":
        able = device != "cpu" or torch.cpu.get_capabilities().get("avx512_bf16", False)
        return torch.bfloat16 if able else torch.float32
    return getattr(torch, dtype)


def _before(start: Path | None) -> dict[str, Any]:
    """What the adapter that a training went on from says of itself."""
    if start is None or not (start / IDENTITY).is_file():
        return {}
    return {"start": json.loads((start / IDENTITY).read_text(encoding="utf-8"))}


def _groups(model: Any, config: TrainConfig) -> list[dict[str, Any]]:
    """The weights of A, and those of B with a higher rate (LoRA+, Hayou et al. 2024)."""
    a, b = list[Any](), list[Any]()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            (b if "lora_B" in name else a).append(weight)
    return [{"params": a}, {"params": b, "lr": config.learning_rate * config.b_ratio}]


def _steps(encoded: Sequence[tuple[tuple[int, ...], Row]], config: TrainConfig) -> Iterator[Batch]:
    """Every step's batch; a broken number of passes ends within the last."""
    whole, part = int(config.passes), config.passes % 1
    for number in range(whole):
        yield from batches(encoded, config.rows, config.longest, config.seed + number)
    last = list(batches(encoded, config.rows, config.longest, config.seed + whole))
    yield from last[: int(len(last) * part)]


def _rate(step: int, steps: int, config: TrainConfig) -> float:
    """Linear warm-up, then linear decay to the final share."""
    warm = max(1, int(steps * config.warmup))
    if step < warm:
        return (step + 1) / warm
    return 1 - (1 - config.final) * (step - warm) / max(1, steps - warm)


def batch_losses(model: Any, batch: Batch, at_once: int, device: str) -> Iterator[Any]:
    """Parts whose sum is the mean cross-entropy in nats over the answers' tokens, or over a ranker's rows.

    A part is of `at_once` rows, which bind the memory if a part's gradients are taken before the next is asked for.
    """
    import torch

    inner = model.get_base_model()
    with computing(inner), torch.no_grad():
        read = inner.model(input_ids=torch.tensor([batch.prefix], device=device), use_cache=True).past_key_values.layers
    keys, values = [layer.keys for layer in read], [layer.values for layer in read]
    whole = sum(max(1, len(row.answer)) for row in batch.rows)
    for start in range(0, len(batch.rows), at_once):
        rows = batch.rows[start : start + at_once]
        with computing(inner):
            loss = _loss_sum(inner, rows, behind(keys, values, max(map(len, rows))), device)
        yield loss / whole


@contextmanager
def computing(model: Any) -> Iterator[None]:
    """A bfloat16 model computes its adapters in bfloat16 too; what is learned of them is kept in float32."""
    import torch
    from peft.helpers import disable_input_dtype_casting

    half = model.dtype == torch.bfloat16
    with torch.autocast(model.device.type, torch.bfloat16, enabled=half), disable_input_dtype_casting(model, half):
        yield


def _loss_sum(inner: Any, rows: Sequence[Row], prefix: Prefix, device: str) -> Any:
    import torch
    from torch.nn.functional import cross_entropy

    longest = prefix.hidden.shape[0]
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    places, targets = list[int](), list[int]()  # places in the rows laid end to end
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row.prompt + row.answer)
        first = at * longest + len(row.prompt) - 1  # it predicts the answer's first token
        places += range(first, first + max(1, len(row.answer)))
        targets += row.answer
    hidden = inner.model(
        input_ids=ids.to(device), position_ids=prefix.positions, use_cache=False, prefix=prefix
    ).last_hidden_state
    logits = inner.lm_head(hidden.flatten(0, 1)[places]).float()
    if not targets:
        return torch.stack([_letters(logits[at], row) for at, row in enumerate(rows)]).sum()
    return cross_entropy(logits, torch.tensor(targets, device=device), reduction="sum")


def _letters(logits: Any, row: Row) -> Any:
    """Cross-entropy of one row over its letters alone (listwise softmax, Cao et al. 2007)."""
    import torch

    tokens = torch.tensor([token for token, _ in row.choices], device=logits.device)
    wanted = torch.tensor([weight for _, weight in row.choices], device=logits.device)
    return -(wanted * torch.log_softmax(logits[tokens], dim=-1)).sum()


def held_out_loss(model: Any, checks: Sequence[Batch], at_once: int, device: str) -> float:
    """Mean over the rows."""
    import torch

    model.eval()
    with torch.no_grad():
        losses = [(float(sum(batch_losses(model, batch, at_once, device))), len(batch.rows)) for batch in checks]
    return sum(loss * rows for loss, rows in losses) / max(1, sum(rows for _, rows in losses))


def _save(run: Run, model: Any, optimizer: Any, schedule: Any, step: int) -> None:
    """The whole state in one file, replaced at once: a kill leaves the old one or the new one."""
    import torch

    weights = {name: weight for name, weight in model.state_dict().items() if "lora_" in name}
    state = {"step": step, "weights": weights, "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
             "random": torch.get_rng_state()}  # fmt: skip
    building = run.state.with_suffix(".new")
    torch.save(state, building)
    building.replace(run.state)


def _resume(run: Run, model: Any, optimizer: Any, schedule: Any) -> int:
    """Steps already done; 0 without a checkpoint. The log is cut back to them."""
    import torch

    if not run.state.is_file():
        run.log.unlink(missing_ok=True)
        return 0
    state = torch.load(run.state, weights_only=True)
    model.load_state_dict(state["weights"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["random"])
    lines = run.log.read_text(encoding="utf-8").splitlines()[: state["step"]]
    run.log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return int(state["step"])


def _write_adapter(model: Any, folder: Path, base: str) -> None:
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder, save_embedding_layers=False)  # "auto" would ask the model hub
    tidy_adapter(folder, base)


def tidy_adapter(folder: Path, base: str) -> None:
    """Make what peft wrote fit to ship: the base by its name instead of this machine's path, modules in a fixed order,
    no card (peft's is a template, and one of an earlier training speaks of other weights), files that all may read.
    """
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base, "target_modules": sorted(config["target_modules"])}
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "README.md").unlink(missing_ok=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / name).chmod(0o644)


def draw_curves(log: Path, out: Path) -> None:
    """Loss by step as a picture: training (running mean of 20) and held out."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsherError("curves need matplotlib; run: pip install 'usher-recommender[train]'") from error
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    losses = [entry["loss"] for entry in entries]
    smooth = [sum(losses[max(0, at - 19) : at + 1]) / min(20, at + 1) for at in range(len(losses))]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([entry["step"] for entry in entries], smooth, label="training, mean of 20 steps")
    checked = [(entry["step"], entry["held_out"]) for entry in entries if "held_out" in entry]
    axes.plot([step for step, _ in checked], [loss for _, loss in checked], "o-", label="held out")
    axes.set(xlabel="step", ylabel="cross-entropy of the answer (nats a token)", yscale="log")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(out, dpi=110)
