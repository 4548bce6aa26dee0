"""What an adapter was trained for, and trained roles written for other engines."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent import messages
from agent.context import planner_context
from agent.llm import Engine, EngineError, Message, Request
from agent.llm_openvino import OpenVINOEngine
from agent.llm_transformers import TransformersEngine, load_base
from agent.memory import Session
from agent.messages import planner_messages, prompt_version
from agent.models import IDENTITY, adapters, base_model, check_adapter, model_path, write_identity
from agent.settings import Settings
from finetune.example import Example, write_examples
from finetune.export import export_gguf, export_vllm
from finetune.parity import Parity, compare, parity_requests
from tests.lora import random_adapter
from tests.scripted import ScriptedEngine
from tests.test_app import error_line, usher
from tools.catalog import Catalog
from tools.errors import UsherError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A base that is a file of a few bytes, and a planner's adapter that says it was trained on it."""
    (tmp_path / "base.gguf").write_bytes(b"weights")
    made = Settings(model=str(tmp_path / "base.gguf"), adapters=tmp_path / "adapters")
    folder = made.adapters / "planner"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    write_identity(folder, "planner", made, {"seed": 7}, folder / "adapter_config.json")
    return made


def change(settings: Settings, **changed: Any) -> None:
    path = settings.adapters / "planner" / IDENTITY
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def refusal(settings: Settings) -> str:
    with pytest.raises(EngineError) as caught:
        check_adapter(settings.adapters / "planner", "planner", settings)
    return str(caught.value).removeprefix(f"{settings.adapters / 'planner'}")


def test_an_adapter_that_fits_is_taken_and_says_how_it_was_made(settings: Settings) -> None:
    assert adapters(settings) == {"planner": settings.adapters / "planner"}
    said = json.loads((settings.adapters / "planner" / IDENTITY).read_text())
    assert said["role"] == "planner"
    assert said["base"] == "base.gguf"
    assert said["prompt_version"] == prompt_version("planner")
    assert said["seed"] == 7
    assert len(said["base_sha256"]) == len(said["data_sha256"]) == 64


def test_an_adapter_of_another_base_is_refused_with_both_names(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"other weights")
    said = refusal(settings.model_copy(update={"model": str(tmp_path / "other.gguf")}))
    assert "was trained on base.gguf (" in said
    assert "the model is other.gguf (" in said
    assert "usher finetune train --role planner" in said


def test_ushers_own_adapters_go_with_its_own_model_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who names another model is not asked to train first; one who names a folder of adapters means them."""
    (tmp_path / "other.gguf").write_bytes(b"other weights")
    other = settings.model_copy(update={"model": str(tmp_path / "other.gguf")})
    with pytest.raises(EngineError, match=r"the model is other\.gguf"):
        adapters(other)
    monkeypatch.setattr("agent.models.SHIPPED", settings.adapters)
    assert adapters(other) == {}
    assert list(adapters(settings)) == ["planner"]


def test_the_same_weights_under_another_name_are_the_same_base(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "renamed.gguf").write_bytes(b"weights")
    check_adapter(
        settings.adapters / "planner", "planner", settings.model_copy(update={"model": str(tmp_path / "renamed.gguf")})
    )
    (tmp_path / "base.gguf").write_bytes(b"changed")
    assert "trained on base.gguf" in refusal(settings)


def test_models_of_a_hub_are_told_by_their_names(settings: Settings) -> None:
    change(settings, base="someone/model", base_sha256="")
    hub = settings.model_copy(update={"model": "someone/model"})
    check_adapter(settings.adapters / "planner", "planner", hub)
    assert base_model(hub).base == "someone/model"
    assert "someone/model, and the model is base.gguf" in refusal(settings)


def test_an_adapter_of_another_prompt_version_is_refused_with_both(settings: Settings) -> None:
    change(settings, prompt_version="0123456789ab")
    said = refusal(settings)
    assert "version 0123456789ab of the planner's prompt" in said
    assert f"this is version {prompt_version('planner')}" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"role": "writer"}, ": is an adapter for the role writer, not planner"),
        ({"role": "singer"}, f"/{IDENTITY}: role: Input should be"),
        ({"prompt_version": None}, f"/{IDENTITY}: prompt_version: Input should be"),
    ],
)
def test_an_adapter_that_does_not_belong_is_named(settings: Settings, changed: dict[str, Any], said: str) -> None:
    change(settings, **changed)
    assert refusal(settings).startswith(said)


def test_an_adapter_of_unknown_origin_is_refused(settings: Settings) -> None:
    (settings.adapters / "planner" / IDENTITY).unlink()
    assert refusal(settings).startswith(f": no {IDENTITY}, which says what the adapter was trained for")


@pytest.mark.parametrize("engine", [OpenVINOEngine, TransformersEngine])
def test_engines_refuse_it_before_they_load_anything(settings: Settings, engine: type[Any]) -> None:
    change(settings, prompt_version="0123456789ab")
    with pytest.raises(EngineError, match="version 0123456789ab"):
        engine(settings)


def test_a_prompt_version_changes_with_the_prompt_and_the_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    before = prompt_version("planner")
    assert before != prompt_version("writer")
    assert before == prompt_version("planner")
    monkeypatch.setitem(messages.FORMATS, "planner", messages.FORMATS["planner"] + 1)
    after = prompt_version("planner")
    monkeypatch.setattr(messages, "template", lambda role: "another prompt")
    assert len({before, after, prompt_version("planner")}) == 3


def test_without_an_adapter_the_command_says_what_to_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHER_ADAPTERS", str(tmp_path))
    for form in ("gguf", "vllm"):
        said = error_line(usher("finetune", "export", "--format", form, "--out", str(tmp_path / "out")))
        assert "usher finetune train --role planner" in said
    assert not (tmp_path / "out").exists()


def test_parity_counts_identical_plans_by_pairs() -> None:
    parity = Parity(
        ("a", "b", "c", "d"), {"x": ("1", "2", "3", "4"), "y": ("1", "2", "3", "5"), "z": ("1", "0", "3", "5")}
    )
    assert parity.shares() == {("x", "y"): 0.75, ("x", "z"): 0.5, ("y", "z"): 0.75}
    assert parity.differing() == [1, 3]


def example(catalog: Catalog, text: str, card: str | None = None) -> Example:
    system, user = planner_messages(catalog.manifest, planner_context(catalog, Session(), text))
    system = system if card is None else Message("system", card)
    return Example(role="planner", id=text, kind="test", messages=(system, user), answer="chat")


def test_prompts_are_those_about_the_catalog(tiny_catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl.gz"
    write_examples(
        file, [example(tiny_catalog, "hi"), example(tiny_catalog, "ho", "Cards."), example(tiny_catalog, "hu")]
    )
    requests = parity_requests(file, tiny_catalog.manifest, 2)
    assert [request.messages[-1].content for request in requests] == ["Message: hi", "Message: hu"]
    assert all(request.grammar is not None and "column-genres" in request.grammar for request in requests)
    with pytest.raises(UsherError, match="2 of 3 prompts are about the catalog tiny"):
        parity_requests(file, tiny_catalog.manifest, 3)


def test_parity_needs_trained_planners() -> None:
    requests = [Request("planner", (Message("user", text),), 9) for text in ("a", "b")]
    engines: dict[str, Engine] = {
        "one": ScriptedEngine(["chat", "recommend"], roles=["planner"]),
        "other": ScriptedEngine(["chat", "recommend 2"], roles=["planner"]),
    }
    assert compare(engines, requests).shares() == {("one", "other"): 0.5}
    with pytest.raises(EngineError, match=r"two \(scripted\): has no trained planner"):
        compare({"two": ScriptedEngine()}, requests)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("trained")
    settings = Settings(adapters=folder / "adapters", cache=folder / "cache")
    random_adapter(settings, rank=12)
    return settings


@pytest.mark.model
def test_a_merged_file_comes_with_what_runs_it(trained: Settings, tmp_path: Path) -> None:
    import gguf
    from transformers import AutoTokenizer

    lines = export_gguf("planner", trained, tmp_path / "out")
    file = tmp_path / "out" / "usher-planner.gguf"
    assert any(line.startswith("llama.cpp: llama-server -m ") and str(file) in line for line in lines)
    assert len(gguf.GGUFReader(file).tensors) == 272
    modelfile = (tmp_path / "out" / "Modelfile").read_text()
    assert modelfile.startswith("FROM ./usher-planner.gguf\n")
    # Ollama's template, filled by hand for two messages, reads as the model's own chat template does.
    base = model_path(trained)
    assert isinstance(base, Path)
    tokenizer = AutoTokenizer.from_pretrained(str(base.parent), gguf_file=base.name)
    said = [{"role": "system", "content": "Plan."}, {"role": "user", "content": "Hi"}]
    body = modelfile.split('"""')[1]
    turn = body[body.index("}}") + 2 : body.index("{{ end }}")]
    filled = "".join(turn.replace("{{ .Role }}", one["role"]).replace("{{ .Content }}", one["content"]) for one in said)
    rendered = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    assert filled + body.split("{{ end }}")[1] == rendered


@pytest.mark.model
def test_the_folder_for_vllm_has_exactly_the_weights_of_the_file(trained: Settings, tmp_path: Path) -> None:
    import torch

    lines = export_vllm(trained, tmp_path)
    command = next(line for line in lines if line.startswith("python -m vllm"))
    assert f"--lora-modules planner={tmp_path}/planner" in command
    assert "--max-lora-rank 16" in command
    exported = Settings(model=str(tmp_path / "base"), adapters=tmp_path)
    untrained = exported.model_copy(update={"adapters": tmp_path / "none"})
    assert base_model(exported) == base_model(trained)
    tokenizer, plain = load_base(tmp_path / "base", torch.float32)
    original_tokenizer, original = load_base(model_path(trained), torch.float32)
    weights = original.state_dict()
    assert plain.state_dict().keys() == weights.keys()
    assert all(torch.equal(weight, weights[name]) for name, weight in plain.state_dict().items())
    text = "<|im_start|>user\nÜnïcode “quotes” ok?<|im_end|>\n"
    assert tokenizer.encode(text) == original_tokenizer.encode(text)
    assert tokenizer.chat_template == original_tokenizer.chat_template
    request = Request("planner", (Message("user", "Say hello."),), 1)
    by_adapter, by_base = (TransformersEngine(one).choose(request, ["Hello"]) for one in (exported, untrained))
    assert by_adapter != by_base
