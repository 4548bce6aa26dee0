"""The model card: everything in it comes from the adapter's files and from results, and nothing is left to fill in."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.settings import Settings
from finetune.card import Sources, write_card
from finetune.card_tables import table
from finetune.train import read_config
from tools.errors import UsherError

ESTIMATE = {"mean": 0.96, "low": 0.944, "high": 0.9745, "n": 625}
HALF = {"mean": 0.5, "low": 0.25, "high": 0.75, "n": 10}
SPREAD = {"median": 451.2, "p95": 602.0}
PLANNED = {
    "measures": {
        "all": {"act": ESTIMATE, "filter": HALF},
        "first turn": {"act": ESTIMATE},
        "kind years": {"act": HALF},
    },
    "cost": {"ms a plan": SPREAD},
    "wrong": [],
}
HELD_OUT = {
    "date": "2026-11-21",
    "file": "requests.jsonl",
    "sha256": "ab" * 32,
    "broken": {},
    "dialogues": 439,
    "turns": 625,
    "catalogs": {"films": "87ea959c5162"},
    "engine": "openvino",
}
PLANNER = HELD_OUT | {
    "command": "usher eval planner --file eval/data/requests.jsonl --base",
    "planners": {"adapter": PLANNED, "base": PLANNED | {"measures": {"all": {"act": HALF}}}},
}
STAGE = {"all": {"supported replies": ESTIMATE, "words": HALF}}
WRITER = HELD_OUT | {
    "writers": {
        "adapter": {
            "measures": {"first try": STAGE, "as sent": STAGE},
            "distinct": {stage: {"distinct-1": 0.25, "distinct-2": 0.75} for stage in ("first try", "as sent")},
            "cost": {"ms a reply": SPREAD},
        }
    }
}
RANKER = {
    "date": "2026-11-21",
    "catalog": {"name": "films", "build": "87ea959c5162"},
    "engine": "openvino",
    "ndcg": {"all": {"fused": {"mean": 0.3, "low": 0.25, "high": 0.35, "people": 61.0}}},
}
SCORE = {
    "command": "usher finetune score --role user",
    "date": "2026-11-21",
    "role": "user",
    "file": "user.jsonl.gz",
    "examples": 40,
    "engine": "openvino",
    "loss": {"adapter": 0.5, "base": 2.25},
    "exact": {"all": [0.125, 40]},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Adapters of all roles by the shipped configs, without real weights."""
    for role in ("planner", "ranker", "writer", "user"):
        folder = tmp_path / "adapters" / role
        folder.mkdir(parents=True)
        config = read_config(role, None)
        (folder / "adapter_config.json").write_text(json.dumps({"r": config.r, "lora_alpha": config.alpha}))
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        identity = {
            "base": "SmolLM2-135M-Instruct.Q4_1.gguf", "base_sha256": "cd" * 32, "role": role,
            "prompt_version": "f02f6a06",
            "seed": 1, "examples": 4840, "steps": 395, "data": f"{role}.jsonl.gz", "data_sha256": "ef" * 32,
        }  # fmt: skip
        (folder / "usher.json").write_text(json.dumps(identity))
    return Settings(adapters=tmp_path / "adapters")


def results(folder: Path, held: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(held if isinstance(held, str) else json.dumps(held))
    return folder / "results.json"


def card(settings: Settings, role: Any, *files: Path, **more: Any) -> str:
    file = write_card(role, settings, Sources(tuple(files), **more))
    assert file == settings.adapters / role / "README.md"
    return file.read_text()


def test_a_card_tells_of_the_adapter_and_its_training(settings: Settings) -> None:
    (settings.adapters / "planner" / "curves.png").write_bytes(b"picture")
    text = card(settings, "planner", made="usher finetune data --role planner --seed 1 --out planner.jsonl.gz")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert head["license"] == "apache-2.0"
    sections = [line for line in text.splitlines() if line.startswith("## ")]
    assert sections == ["## What it is", "## Data", "## Training", "## Limits", "## Licence"]
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE))
    assert rows["weights"].endswith(f"SHA-256 `{hashlib.sha256(b'weights').hexdigest()}`")
    assert rows["examples trained on"] == "4840"
    assert rows["SHA-256"] == f"`{'ef' * 32}`"
    trained = read_config("planner", None).model_dump() | {"seed": 1}  # the adapter's own
    for name, value in trained.items():
        assert rows[name] == (", ".join(value) if isinstance(value, tuple) else str(value))
    assert rows["steps"] == "395"
    assert "`usher finetune data --role planner --seed 1 --out planner.jsonl.gz`" in text
    assert "](curves.png)" in text
    assert "ReDial (Li et al. 2018): CC BY 4.0." in text
    assert "HuggingFaceTB/SmolLM2-135M-Instruct: Apache-2.0" in text


@pytest.mark.parametrize("role", ["planner", "ranker", "writer", "user"])
def test_every_role_has_its_card_without_anything_left_to_fill_in(settings: Settings, role: Any) -> None:
    text = card(settings, role)
    assert not any(word in text for word in ("None", "TODO", "More Information", "{", "}"))
    assert str(settings.adapters) not in text
    assert "curves.png" not in text


def test_the_base_stands_beside_the_adapter(settings: Settings, tmp_path: Path) -> None:
    text = card(settings, "planner", results(tmp_path / "run", PLANNER))
    assert "`usher eval planner --file eval/data/requests.jsonl --base`, 2026-11-21: 625 turns of 439 dialogues" in text
    assert "| measure | adapter | base | n |" in text
    assert "| act | 0.960 (0.944 to 0.975) | 0.500 (0.250 to 0.750) | 625 |" in text
    assert "| filter | 0.500 (0.250 to 0.750) |  | 10 |" in text
    assert "| ms a plan | 451 (p95 602) | 451 (p95 602) |  |" in text
    assert "| first turn | 0.960 (0.944 to 0.975) |" in text
    assert "kind years" not in text


def test_a_writers_card_has_its_samples(settings: Settings, tmp_path: Path) -> None:
    file = results(tmp_path / "run", WRITER)
    with pytest.raises(
        UsherError, match=r"samples.md: cannot be read; it is written beside results.json by usher eval"
    ):
        card(settings, "writer", file)
    (tmp_path / "run" / "samples.md").write_text("**1. a comedy**\n\n> Comet Over Dover is one.\n")
    text = card(settings, "writer", file)
    assert "| measure | adapter, first try | adapter, as sent |" in text
    assert "| distinct-2 | 0.750 | 0.750 |" in text
    assert "### Samples, unpicked\n\n**1. a comedy**\n\n> Comet Over Dover is one.\n\n## Limits" in text


def test_rankers_and_scores_have_their_tables(settings: Settings, tmp_path: Path) -> None:
    text = card(settings, "ranker", results(tmp_path / "run", RANKER))
    assert "| nDCG@10 | all, 61 people |" in text
    assert "| fused | 0.300 (0.250 to 0.350) |" in text
    text = card(settings, "user", results(tmp_path / "run", SCORE))
    assert "| adapter | 0.5000 |\n| base | 2.2500 |" in text
    assert "| all | 12.5% | 40 |" in text


def test_limits_are_put_in_as_they_stand(settings: Settings, tmp_path: Path) -> None:
    own = settings.adapters / "planner" / "limits.md"
    own.write_text("- It misses *negations*.\n")
    assert "with any other.\n\n- It misses *negations*.\n\n## Licence" in card(settings, "planner")
    other = tmp_path / "other.md"
    other.write_text("Another.")
    text = card(settings, "planner", limits=other)
    assert "Another." in text
    assert "negations" not in text
    with pytest.raises(UsherError, match=r"none.md: cannot be read; --limits wants a text file"):
        card(settings, "planner", limits=tmp_path / "none.md")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("{", r"results.json: is no results.json \("),
        ("[]", "results.json: has no results of usher eval"),
        ({}, "results.json: has no results of usher eval"),
        (WRITER, "results.json: is about the role writer, and the card about planner"),
        (SCORE, "results.json: is about the role user, and the card about planner"),
        (PLANNER | {"planners": {"base": PLANNED}}, "results.json: planners.adapter: Field required"),
        (PLANNER | {"date": None}, "results.json: date: Input should be a valid string"),
    ],
)
def test_results_that_do_not_belong_are_named(settings: Settings, tmp_path: Path, held: Any, said: str) -> None:
    with pytest.raises(UsherError, match=said):
        card(settings, "planner", results(tmp_path / "run", held))
    assert not (settings.adapters / "planner" / "README.md").exists()


def test_a_config_of_another_training_is_refused(settings: Settings, tmp_path: Path) -> None:
    config = read_config("planner", None)
    other = tmp_path / "mine.yaml"
    other.write_text(yaml.safe_dump(config.model_copy(update={"r": 8}).model_dump(mode="json")))
    with pytest.raises(UsherError, match=rf"has rank {config.r} and alpha {config.alpha}, and the config 8"):
        card(settings, "planner", config=other)


def test_an_adapter_that_lacks_a_file_is_named(settings: Settings, tmp_path: Path) -> None:
    (settings.adapters / "planner" / "usher.json").write_text('{"role": "planner", "prompt_version": "1", "base": "b"}')
    with pytest.raises(UsherError, match=r"usher.json: seed: Field required"):
        card(settings, "planner")
    (settings.adapters / "planner" / "usher.json").unlink()
    with pytest.raises(UsherError, match=r"usher.json: cannot be read"):
        card(settings, "planner")
    with pytest.raises(UsherError, match="no adapter here; train it with: usher finetune train --role planner"):
        card(Settings(adapters=tmp_path / "none"), "planner")


def test_a_table_has_every_row_of_every_column() -> None:
    assert table("x", {"a": {"1": "one"}, "b": {"2": "two"}}) == (
        "| x | a | b |\n| --- | --- | --- |\n| 1 | one |  |\n| 2 |  | two |"
    )
