"""What a real person's message is heard to say: conditions, titles with the feeling towards each, themes, names."""

import pytest

from finetune.heard import Listener
from finetune.lexicon import read_domain, words_for
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.where import parse_where


@pytest.fixture(scope="module")
def listener(tiny_catalog: Catalog) -> Listener:
    return Listener(tiny_catalog, words_for(tiny_catalog, [read_domain("films")]))


def sql(listener: Listener, text: str) -> list[str]:
    return [one.sql for one in listener.hear(text).conditions]


@pytest.mark.parametrize(
    ("said", "liked", "disliked", "alike"),
    [
        ("I loved Salt Road and Night Ferry", ("Salt Road", "Night Ferry"), (), ()),
        ("something like Salt Road", (), (), ("Salt Road",)),
        ("movies similar to Salt Road or Night Ferry", (), (), ("Salt Road", "Night Ferry")),
        ("I like Salt Road", ("Salt Road",), (), ()),
        ("I would like Salt Road, not Night Ferry", ("Salt Road",), ("Night Ferry",), ()),
        ("something like Salt Road but I didn't care for Night Ferry", (), ("Night Ferry",), ("Salt Road",)),
        ("I'm not a fan of movies like Salt Road", (), ("Salt Road",), ()),
        ("I haven't seen Salt Road", (), (), ()),
        ("I saw Salt Road", (), (), ()),
        ("Salt Road was great. Salt Road again", ("Salt Road",), (), ()),
    ],
)
def test_titles_with_the_feeling_towards_them(
    listener: Listener, said: str, liked: tuple[str, ...], disliked: tuple[str, ...], alike: tuple[str, ...]
) -> None:
    heard = listener.hear(said)
    assert (heard.liked, heard.disliked, heard.alike) == (liked, disliked, alike)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("a western", ["'Western' IN genres"]),
        ("horror or mystery", ["('Horror' IN genres OR 'Mystery' IN genres)"]),
        ("no westerns please", ["NOT ('Western' IN genres)"]),
        ("a western from the 1960s", ["'Western' IN genres", "year BETWEEN 1960 AND 1969"]),
        ("something from the 90s", ["year BETWEEN 1990 AND 1999"]),
        ("a western, a western!", ["'Western' IN genres"]),
        ("I loved Salt Road", []),
    ],
)
def test_conditions_in_the_order_said(listener: Listener, said: str, wanted: list[str]) -> None:
    assert sql(listener, said) == wanted


def test_a_title_is_read_for_nothing_else(listener: Listener) -> None:
    heard = listener.hear('have you got "Wolves of Harbour Street"?')
    assert heard.names == ()
    assert not heard.conditions


def test_every_condition_runs_on_the_catalog(listener: Listener, tiny_catalog: Catalog) -> None:
    for said in ("no westerns", "horror or mystery from the 1980s", "a recent comedy"):
        for condition in sql(listener, said):
            where = parse_where(condition, tiny_catalog.manifest)
            assert 0 < len(tiny_catalog.select(where.sql, where.parameters)) < len(tiny_catalog)


def test_themes_and_names_are_what_is_left(listener: Listener) -> None:
    heard = listener.hear("a western about a stolen bell with Ada Brandt")
    assert "stolen bell" in " ".join(heard.themes)
    assert "Ada Brandt" in heard.names
    assert not any("western" in theme for theme in heard.themes)
    assert listener.hear("I WANT SOMETHING WITH ADA BRANDT").names == ()  # a shout tells no names


@pytest.mark.parametrize(
    ("said", "more", "chat"),
    [
        ("hi there!", False, True),
        ("Thanks so much, have a great evening", False, True),
        ("anything else?", True, False),
        ("I have seen those", True, False),
        ("hi, a western please", False, False),
    ],
)
def test_small_talk_and_asking_for_more(listener: Listener, said: str, more: bool, chat: bool) -> None:
    heard = listener.hear(said)
    assert (heard.more, heard.chat) == (more, chat)


def test_a_catalog_that_nobody_has_words_for_is_named(tiny_catalog: Catalog) -> None:
    with pytest.raises(UsherError, match="nobody has written how people ask for films"):
        words_for(tiny_catalog, [read_domain("books")])
