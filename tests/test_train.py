"""Training on a tiny random Llama: loss on the answer alone, rows that do not see one another, exact resume."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.llm import Message
from agent.llm_transformers import load_base
from agent.models import check_adapter
from agent.settings import Settings
from finetune import train as training
from finetune.attention import behind, register
from finetune.batches import Batch, batches, encode
from finetune.example import Example, write_examples
from finetune.train import Run, TrainConfig, batch_losses, read_config, train
from tools.errors import UsherError

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
CONFIG = TrainConfig(
    r=2, alpha=4, targets=("q_proj", "v_proj"), learning_rate=0.01, warmup=0.1, final=0.1,
    rows=3, at_once=2, passes=2, longest=90, held_out=4, seed=3, save_every=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: two layers of random weights, and bytes for tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    held = Tokenizer(
        models.BPE(vocab={"<end>": 0} | {byte: at for at, byte in enumerate(alphabet, start=1)}, merges=[])
    )
    held.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    held.decoder = decoders.ByteLevel()
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=held, eos_token="<end>", chat_template=TEMPLATE)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(alphabet) + 1, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def examples(count: int) -> list[Example]:
    made = []
    for number in range(count):
        messages = (Message("system", f"card {number % 2}"), Message("user", f"wish {'x' * (number % 7)}{number}"))
        made.append(Example(role="planner", id=str(number), kind="a", messages=messages, answer=f"chat {number}"))
    return made


def test_a_padded_batch_has_the_loss_of_its_rows_alone(base: Path) -> None:
    tokenizer, model = load_base(base, torch.float32)
    encoded = [encode(tokenizer, example) for example in examples(8)]
    (batch, *_) = batches(encoded, 4, 90, seed=1)
    apart: list[float] = []
    for row in batch.rows:
        ids = torch.tensor([[*batch.prefix, *row.prompt, *row.answer]])
        labels = torch.full_like(ids, -100)
        labels[0, -len(row.answer) :] = torch.tensor(row.answer)
        apart += [model(input_ids=ids, labels=labels).loss.item()] * len(row.answer)
    model.set_attn_implementation(register())
    packed, parts = (list(batch_losses(_peft(model), batch, at_once, "cpu")) for at_once in (4, 3))
    assert len(batch.rows) == 4
    assert (len(packed), len(parts)) == (1, 2)
    assert float(sum(parts)) == pytest.approx(float(packed[0]), abs=1e-5)
    assert float(packed[0]) == pytest.approx(sum(apart) / len(apart), abs=1e-5)


def test_a_choice_has_the_loss_of_its_letters(base: Path) -> None:
    tokenizer, model = load_base(base, torch.float32)
    messages = (Message("system", "card"), Message("user", "a line A"))
    example = Example(role="ranker", id="1", kind="a", messages=messages, answer="", choices=(("A", 1.0), ("B", 0.0)))
    prefix, row = encode(tokenizer, example)
    logits = model(input_ids=torch.tensor([[*prefix, *row.prompt]])).logits[0, -1]
    a, b = (tokenizer.encode(letter)[0] for letter in "AB")
    wanted = math.log(1 + math.exp(float(logits[b] - logits[a])))
    model.set_attn_implementation(register())
    assert float(sum(batch_losses(_peft(model), Batch(list(prefix), [row]), 1, "cpu"))) == pytest.approx(
        wanted, abs=1e-5
    )


def _peft(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))


def test_rows_stand_behind_the_prefix_in_their_places() -> None:
    held = [torch.zeros((1, 2, 3, 4))]  # three tokens
    prefix = behind(held, held, 2)
    assert prefix.positions.tolist() == [[3, 4]]
    assert (prefix.hidden == 0).tolist() == [[True, True, True, True, False], [True, True, True, True, True]]


def test_a_pass_has_every_row_once_and_another_order_each_time(base: Path) -> None:
    tokenizer, _ = load_base(base, torch.float32)
    encoded = [encode(tokenizer, example) for example in examples(20)]
    orders = [[str(row.prompt) for batch in batches(encoded, 3, 90, seed) for row in batch.rows] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == sorted(str(row.prompt) for _, row in encoded)
    assert not list(batches(encoded, 3, 5, 1)), "rows that are too long are left out"


class Killed(BaseException):
    pass


def test_a_killed_training_ends_as_one_that_was_not(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(model=str(base))
    data = tmp_path / "data.jsonl.gz"
    write_examples(data, examples(24))
    train("planner", data, CONFIG, settings, "cpu", Run(tmp_path / "whole"), tmp_path / "a")

    real, calls = training.batch_losses, iter(range(100))

    def dies(*arguments: Any) -> Any:
        if next(calls) == 9:  # among the steps behind the second checkpoint
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(training, "batch_losses", dies)
    with pytest.raises(Killed):
        train("planner", data, CONFIG, settings, "cpu", Run(tmp_path / "broken"), tmp_path / "b")
    monkeypatch.setattr(training, "batch_losses", real)
    done = torch.load(tmp_path / "broken" / "state.pt", weights_only=True)["step"]
    train("planner", data, CONFIG, settings, "cpu", Run(tmp_path / "broken"), tmp_path / "b")

    assert 0 < done < len(losses(tmp_path / "whole"))
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    weights = [(tmp_path / name / "planner" / "adapter_model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    check_adapter(tmp_path / "b" / "planner", "planner", settings)
    assert (tmp_path / "b" / "planner" / "curves.png").stat().st_size > 1000
    ships(tmp_path / "b" / "planner", base)


def ships(adapter: Path, base: Path) -> None:
    """Nothing of this machine, nothing of peft's template, and files that everyone may read."""
    assert sorted(file.name for file in adapter.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "curves.png", "usher.json"
    ]  # fmt: skip
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == json.loads((adapter / "usher.json").read_text())["base"] == base.name
    assert config["target_modules"] == ["q_proj", "v_proj"]
    assert {oct(file.stat().st_mode & 0o777) for file in adapter.glob("adapter_*")} == {"0o644"}
    assert not any(str(base.parent).encode() in file.read_bytes() for file in adapter.iterdir())


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_too_few_examples_are_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl.gz"
    write_examples(data, examples(4))
    settings = Settings(model=str(tmp_path / "none.gguf"))  # loading it would say something else
    with pytest.raises(UsherError, match="4 examples of the role planner; training needs over 4"):
        train("planner", data, CONFIG, settings, "cpu", Run(tmp_path / "run"), tmp_path)


@pytest.mark.parametrize("role", ["planner", "ranker", "writer", "user"])
def test_every_role_has_a_configuration(role: Any) -> None:
    assert read_config(role, None).seed >= 0


def test_a_wrong_key_of_a_configuration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("r: many\n")
    with pytest.raises(UsherError, match=r"mine.yaml: r: "):
        read_config("planner", path)
    with pytest.raises(UsherError, match=r"none.yaml: cannot be read"):
        read_config("planner", tmp_path / "none.yaml")
