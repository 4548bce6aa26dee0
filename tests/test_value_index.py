"""What the words of a message may mean in a catalog."""

import pytest

from agent.context import found_in, planner_context
from agent.memory import Session
from tools.catalog import Catalog
from tools.schema import Column, Manifest
from tools.value_index import ValueIndex


@pytest.fixture(scope="module")
def index() -> ValueIndex:
    columns = (
        Column(name="genres", type="text", is_list=True, values=("Comedy", "Sci-Fi", "Animation", "Horror")),
        Column(name="rated", type="text", values=("PG", "PG-13", "suitable for children")),
        Column(name="cooperative", type="boolean"),
        Column(name="critic_score", type="integer", minimum=0.0, maximum=100.0),
        Column(name="maker", type="text", is_list=True),
        Column(name="place", type="text"),
    )
    manifest = Manifest(
        name="a", noun="film", source="b", rows=1, interactions=0, columns=columns, parts={}, build_hash=""
    )
    named = [
        ("maker", "Ana Vidal"),
        ("maker", "Young"),
        ("maker", "Robert De Niro"),
        ("maker", "Brad Pitt"),
        ("place", "Paris, Texas, USA"),
        ("place", "a quiet house"),
    ]
    return ValueIndex.of(manifest, named)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("comedies please", ["'Comedy' IN genres"]),
        ("a comdey", ["'Comedy' IN genres"]),
        ("scifi or sci fi, animated", ["'Sci-Fi' IN genres", "'Animation' IN genres"]),
        ("PG-13, no horror", ["rated = 'PG-13'", "'Horror' IN genres"]),
        ("something suitable for the children", ["rated = 'suitable for children'"]),
        ("cooperative ones with a critic score over 70", ["cooperative = true", "critic_score > 70"]),
        ("made by ana vidal", ["maker ILIKE '%ana vidal%'"]),
        ("the Vidal ones", ["maker ILIKE '%Vidal%'"]),
        ("with De Niro or Pitt", ["maker ILIKE '%De Niro%'", "maker ILIKE '%Pitt%'"]),
        ("at least 70 on the critic score", ["critic_score >= 70"]),
        ("a pitt stop", []),
        ("Young ones", []),
        ("films of Young", ["maker ILIKE '%Young%'"]),
        ("Any Vidal?", ["maker ILIKE '%Vidal%'"]),
        ("Vidal Bond films", []),
        ("the Peter Vidal ones", []),
        ("set in Paris", ["place ILIKE '%Paris%'"]),
        ("a young couple in a quiet house", []),
        ("from the late eighties", ["1987 to 1989"]),
        ("the 2010s, the '60s", ["2010 to 2019", "1960 to 1969"]),
        ("under an hour and a half", ["< 90 minutes"]),
        ("a short one about the children's Komödie", ["'Comedy' IN genres"]),
        ("un film d'horreur", ["'Horror' IN genres"]),
        ("PG or better, a critic score of at least 80", ["rated = 'PG'", "critic_score >= 80"]),
        ("2h30 or 45 min", ["150 minutes", "45 minutes"]),
        ("sci fy, hooorror", ["'Sci-Fi' IN genres", "'Horror' IN genres"]),
        ("by Ana Vidall", ["maker ILIKE '%Ana Vidal%'"]),
        ("dibujos animados, horroru", ["'Animation' IN genres", "'Horror' IN genres"]),
        ("ah yes", []),
        ("something for us", []),
        ("", []),
    ],
)
def test_words_are_linked_in_their_order(index: ValueIndex, text: str, found: list[str]) -> None:
    assert [link.said for link in index.link(text, frozenset({"young"}))] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a French film", ["'France' IN country"]),
        ("in French", ["'French' IN language"]),
        ("with Ana Vidal", ["cast ILIKE '%Ana Vidal%'"]),
        ("by Ana Vidal", ["director ILIKE '%Ana Vidal%'"]),
        ("Ana Vidal", ["director ILIKE '%Ana Vidal%'", "cast ILIKE '%Ana Vidal%'"]),
        ('a title with "night" in it', ["title ILIKE '%night%'"]),
        ("with the word night in the title", ["title ILIKE '%night%'"]),
        ("Ana Vidal acting", ["cast ILIKE '%Ana Vidal%'"]),
        ("auf Französisch", ["'French' IN language"]),
        ("a thriler", ["'Thriller' IN genres"]),
        ("a thriller", ["'Thriller' IN genres"]),  # not the mood "thrilling"
        ("something short", []),  # not "Sport"
        ("US films", ["'USA' IN country"]),
        ("not from the U.S.", ["'USA' IN country"]),
        ("one from the us", ["'USA' IN country"]),
        ("tell us about BUSES", []),
        ("GIVE US MORE", []),
        ("från åttiotalet", ["1980 to 1989"]),
    ],
)
def test_of_what_words_may_mean_the_likelier_stays(text: str, found: list[str]) -> None:
    columns = (
        Column(name="genres", type="text", is_list=True, values=("Thriller", "Sport")),
        Column(name="mood", type="text", is_list=True, values=("thrilling",)),
        Column(name="language", type="text", is_list=True, values=("French",)),
        Column(name="country", type="text", is_list=True, values=("France", "USA")),
        Column(name="director", type="text", is_list=True),
        Column(name="cast", type="text", is_list=True),
    )
    manifest = Manifest(
        name="a", noun="film", source="b", rows=1, interactions=0, columns=columns, parts={}, build_hash=""
    )
    index = ValueIndex.of(manifest, [("director", "Ana Vidal"), ("cast", "Ana Vidal")])
    assert [link.said for link in index.link(text, frozenset({"short"}))] == found


def test_a_link_covers_the_words_it_is_about(index: ValueIndex) -> None:
    text = "please, a Comdey"
    (link,) = index.link(text, frozenset())
    assert text[link.start : link.end] == "Comdey"


def test_a_catalog_links_its_own_names(tiny_catalog: Catalog) -> None:
    director = tiny_catalog.values("director")[0]
    name = director[0] if isinstance(director, list) else director
    assert any(link.said.startswith("director ") for link in found_in(tiny_catalog.value_index, f"films by {name}", ()))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I like Grandmother's War, what else?", []),
        ("I like The Hundred-Year Recipe", []),
        ("a war film like Grandmother's War", ["'War' IN genres"]),
    ],
)
def test_a_word_of_a_title_is_no_wish(tiny_catalog: Catalog, text: str, found: list[str]) -> None:
    assert [link.said for link in found_in(tiny_catalog.value_index, text, ())]
    assert [link.said for link in planner_context(tiny_catalog, Session(), text).found] == found
