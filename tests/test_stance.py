"""What people said of titles, and of what was offered to them."""

import pytest

from agent.stance import Feeling, Role, feeling_back, stances
from tools.catalog import Catalog


def heard(catalog: Catalog, *messages: tuple[Role, str]) -> dict[str, Feeling]:
    return {str(catalog.titles[stance.row]): stance.feeling for stance in stances(catalog, messages)}


@pytest.mark.parametrize(
    ("said", "feeling"),
    [
        ("I loved Salt Road", "liked"),
        ("Salt Road was great, what else is there?", "liked"),
        ("something like Salt Road (1987)", "liked"),
        ("Salt Road", "liked"),
        ("I hated Salt Road", "disliked"),
        ("I didn't like Salt Road at all", "disliked"),
        ("Salt Road was boring", "disliked"),
        ("not a big fan of Salt Road", "disliked"),
        ("It was good. But I can't stand Salt Road", "disliked"),
        ("I haven't seen Salt Road yet", "mentioned"),
        ("have you seen Salt Road?", "mentioned"),
        ("we watched Salt Road on Sunday", "seen"),
    ],
)
def test_a_feeling_is_read_from_the_words_around_a_title(tiny_catalog: Catalog, said: str, feeling: Feeling) -> None:
    assert heard(tiny_catalog, ("user", said)) == {"Salt Road": feeling}


def test_titles_of_one_sentence_may_differ(tiny_catalog: Catalog) -> None:
    said = "I loved Salt Road but I hated Night Ferry. Small Thunder and Iron Harvest were great"
    assert heard(tiny_catalog, ("user", said)) == {
        "Salt Road": "liked",
        "Night Ferry": "disliked",
        "Small Thunder": "liked",
        "Iron Harvest": "liked",
    }


def test_a_list_shares_what_was_said_before_it(tiny_catalog: Catalog) -> None:
    said = heard(tiny_catalog, ("user", "I hated Salt Road and Night Ferry"))
    assert said == {"Salt Road": "disliked", "Night Ferry": "disliked"}


@pytest.mark.parametrize(
    ("reply", "feeling"),
    [
        ("I loved it!", "liked"),
        ("I hated that one", "disliked"),
        ("haven't seen it", "mentioned"),
        ("I've seen that", "seen"),
        ("ok thanks", "mentioned"),
    ],
)
def test_a_reply_is_of_what_was_offered(tiny_catalog: Catalog, reply: str, feeling: Feeling) -> None:
    assert feeling_back(reply) == feeling
    talk: list[tuple[Role, str]] = [("user", "hello"), ("assistant", "Have you seen Salt Road?"), ("user", reply)]
    assert heard(tiny_catalog, *talk) == {"Salt Road": feeling}


def test_the_later_word_counts_and_who_named_it_first_stays(tiny_catalog: Catalog) -> None:
    talk: list[tuple[Role, str]] = [
        ("assistant", "Salt Road is nice"),
        ("user", "I loved it"),
        ("user", "no wait, I hated Salt Road"),
    ]
    (stance,) = stances(tiny_catalog, talk)
    assert (stance.by, stance.message, stance.feeling) == ("assistant", 0, "disliked")
