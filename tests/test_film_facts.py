"""The shipped film facts, and that their check finds every kind of fault."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import check_film_facts, measure_film_facts
from tools.check_film_facts import check, known_texts
from tools.errors import CatalogError
from tools.facts import read_facts
from tools.measure_film_facts import directors, leads, read_known, same_name, sample, wilson
from tools.movielens import FILM_FACTS, movielens_source

LOGLINE = "A tired lighthouse keeper finds a talking seal on the rocks and agrees to hide it from the whole village."
OTHER = "Two rival bakers in a mountain town must share one oven after a flood takes everything else they ever owned."
COPY = (
    "When a tired lighthouse keeper finds a talking seal on the rocks, he agrees to hide it from the village council."
)
IDS = frozenset({"1", "2", "10"})


def fact(**changed: Any) -> dict[str, Any]:
    return {
        "item_id": "1",
        "director": ["Ann Example"],
        "cast": ["Bob Sample", "Carol Case"],
        "country": ["UK"],
        "language": ["English"],
        "keywords": ["lighthouse", "seal", "village", "secret", "island", "friendship"],
        "mood": ["quirky", "touching"],
        "setting": {"place": "an island", "period": "1950s"},
        "logline": LOGLINE,
        "content": ["suitable for families"],
    } | changed


def write(path: Path, *facts: object) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in facts))
    return path


@pytest.fixture(scope="module")
def catalog_ids() -> frozenset[str]:
    return frozenset(movielens_source(with_facts=False).items["item_id"].to_pylist())


def test_the_shipped_file_is_without_faults(catalog_ids: frozenset[str]) -> None:
    assert check(FILM_FACTS, catalog_ids) == []


def test_the_shipped_file_covers_what_people_rate() -> None:
    ids = set(read_facts(FILM_FACTS))
    assert len(ids) >= 2500
    source = movielens_source(with_facts=False)
    assert source.interactions is not None
    rated = source.interactions["item_id"].to_pylist()
    assert sum(item_id in ids for item_id in rated) / len(rated) >= 0.84


def test_the_default_catalog_takes_the_facts() -> None:
    source = movielens_source()
    columns = {column.name: column for column in source.columns}
    assert set(columns["mood"].values or ()) == set(check_film_facts.MOODS)
    assert set(columns["content"].values or ()) == set(check_film_facts.CONTENT)
    assert {"director", "cast", "country", "language", "keywords", "setting_place", "setting_period", "logline"} <= set(
        columns
    )


def test_good_facts_have_no_faults(tmp_path: Path) -> None:
    path = write(tmp_path / "facts.jsonl", fact(), fact(item_id="2", logline=OTHER, cast=[], language=[], content=[]))
    assert check(path, IDS) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"item_id": "01"}, "item_id: String should match pattern"),
        ({"item_id": 1}, "item_id: Input should be a valid string"),
        ({"item_id": "3"}, "item_id: 3 is not in the catalog"),
        ({"director": []}, "director: List should have at least 1 item"),
        ({"director": ["Ann  Example"]}, "director.0: Value error, empty, or has spaces to spare"),
        ({"director": "Ann Example"}, "director: Input should be a valid list"),
        ({"cast": ["A", "B", "C", "D", "E"]}, "cast: List should have at most 4 items"),
        ({"cast": ["A B", "A B"]}, "cast: Value error, 'A B' stands there twice"),
        ({"country": []}, "country: List should have at least 1 item"),
        ({"language": ["a", "b", "c", "d"]}, "language: List should have at most 3 items"),
        ({"keywords": ["one"] * 5}, "keywords: List should have at least 6 items"),
        ({"keywords": list("abcdefghijk")}, "keywords: List should have at most 10 items"),
        ({"keywords": ["Heist", *"abcde"]}, "keywords.0: Value error, 'Heist' is not lower case"),
        ({"mood": ["tense"]}, "mood: List should have at least 2 items"),
        ({"mood": ["tense", "spooky"]}, "mood.1: Value error, 'spooky' is not one of: adventurous"),
        ({"content": ["gore"]}, "content.0: Value error, 'gore' is not one of: graphic violence"),
        ({"setting": {"place": "an island"}}, "setting.period: Field required"),
        ({"setting": {"place": "", "period": "1950s"}}, "setting.place: Value error, empty"),
        ({"logline": "Too short."}, "logline: Value error, 2 words; wants 15 to 30"),
        ({"logline": " ".join(["word"] * 31)}, "logline: Value error, 31 words"),
        ({"stars": 5}, "stars: Extra inputs are not permitted"),
    ],
)
def test_a_fault_is_found_and_named(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "facts.jsonl", fact(item_id="2", logline=OTHER), fact(item_id="10") | changed)
    (fault,) = check(path, IDS)
    assert fault.startswith(f"{path}: line 2: {said}")


def test_a_missing_field_and_a_broken_line_are_named(tmp_path: Path) -> None:
    lacking = fact()
    del lacking["mood"]
    path = write(tmp_path / "facts.jsonl", lacking, "{\n", "3\n")
    assert [fault.split(": ", 2)[1:] for fault in check(path, IDS)] == [
        ["line 1", "mood: Field required"],
        ["line 2", "line: not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"],
        ["line 3", "line: Input should be a valid dictionary or instance of FilmFact"],
    ]


def test_ids_stand_once_and_in_order(tmp_path: Path) -> None:
    last = fact(item_id="2", logline=" ".join(f"word{n}" for n in range(20)))
    path = write(tmp_path / "facts.jsonl", fact(item_id="10"), fact(item_id="10", logline=OTHER), last)
    faults = [fault.removeprefix(f"{path}: ") for fault in check(path, IDS)]
    assert faults == [
        "line 2: item_id: 10 stands already in line 1",
        "line 3: item_id: 2 comes after 10; the file is sorted by id",
    ]


def test_two_loglines_alike_are_found(tmp_path: Path) -> None:
    path = write(tmp_path / "facts.jsonl", fact(), fact(item_id="2", logline=COPY))
    (fault,) = check(path, IDS)
    assert "line 2: logline: like that of line 1" in fault


def test_eight_words_of_a_known_text_are_found_and_seven_are_not(tmp_path: Path) -> None:
    facts = write(tmp_path / "facts.jsonl", fact())
    known = tmp_path / "known.csv"
    seven, eight = "a talking Seal, on the rocks and", "finds a talking Seal, on the rocks and"
    known.write_text(f'id,text\n1,"He meets {seven} leaves."\n2,"He {eight} leaves."\n')
    (fault,) = check(facts, IDS, known_texts([f"{known}:text"]))
    assert fault.endswith(f"line 1: logline: 'finds a talking seal on the rocks and' stands in {known}, line 3")
    with pytest.raises(CatalogError, match="no column 'words'; there are: id, text"):
        check(facts, IDS, known_texts([f"{known}:words"]))
    with pytest.raises(CatalogError, match="wants FILE:COLUMN"):
        check(facts, IDS, known_texts(["known"]))


def test_the_command_exits_1_on_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "facts.jsonl", fact(mood=["tense"]))
    command = [sys.executable, "-m", "tools.check_film_facts", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stdout.startswith(f"{path}: line 1: mood: ")
    missing = subprocess.run([*command[:-1], str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert len(missing.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ciarán Hinds", "Ciaran Hinds", True),
        ("J.T. Walsh", "J. T. Walsh", True),
        ("Robert Crumb", "R. Crumb", True),
        ("Robin Wright", "Robin Wright Penn", True),
        ("Lillo Brancato", "Lillo Brancato, Jr.", True),
        ("Sarah Jessica Parker", "Sarah Parker", True),
        ("Paul Burke", "Paul Burke (actor)", True),
        ("Alan Bates", "Kathy Bates", False),
        ("Cher", "Cher Lloyd", False),
        ("Kate Winslet", "Kate Blanchett", False),
    ],
)
def test_names_as_different_people_write_them(one: str, other: str, same: bool) -> None:
    assert same_name(one, other) is same
    assert same_name(other, one) is same


def test_misses_are_named(tmp_path: Path) -> None:
    table = tmp_path / "encyclopedia.csv"
    lead = "A film produced by Z and directed by Ann Other, with Carol Case."
    table.write_text(f'movieId,wiki_title,wiki_cast,wiki_extract\n1,The Seal,B. Sample|Dan Dee,"{lead}"\n2,,,\n')
    known = read_known(table)
    facts = {"1": fact(cast=["Bob Sample", "Carol Case", "Eve Else"]), "2": fact(item_id="2")}
    assert leads(facts, known) == (3, ["1 The Seal: Eve Else; there: B. Sample, Dan Dee"])
    assert leads(facts, known, listed=3) == (0, [])
    total, missed = directors(facts, known)
    assert total == 1
    assert missed[0].startswith("1 The Seal: Ann Example; there: Ann Other")
    assert [line for line in sample(facts, known, 1, seed=1) if LOGLINE in line]
    (tmp_path / "other.csv").write_text("movieId\n1\n")
    with pytest.raises(CatalogError, match="no column 'wiki_title'"):
        read_known(tmp_path / "other.csv")


def test_wilson_interval() -> None:
    """Against the figures of Brown, Cai and DasGupta's formula, worked by hand."""
    low, high = wilson(98, 100)
    assert low == pytest.approx(0.93, abs=5e-4)
    assert high == pytest.approx(0.99449, abs=5e-4)
    assert measure_film_facts.wilson(0, 10)[0] == pytest.approx(0.0, abs=1e-12)
