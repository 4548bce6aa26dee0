"""What people said of titles, and of what was offered to them."""

import pytest

from agent.stance import Feeling, Role, feeling_back, likened, stances
from tools.catalog import Catalog
from tools.mentions import find_mentions


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
        ("I didn't care for Salt Road", "disliked"),
        ("couldn't stand Salt Road", "disliked"),
        ("I never really got into Salt Road", "disliked"),
        ("Salt Road isn't my cup of tea", "disliked"),
        ("my least favourite is Salt Road", "disliked"),
        ("can't stand films like Salt Road", "disliked"),
        ("I don't want something like Salt Road", "disliked"),
        ("a western but not Salt Road", "disliked"),
        ("I liked the actors but not so much in Salt Road", "disliked"),
        ("Salt Road was ok, but not really my thing", "disliked"),
        ("I saw Salt Road but didn't really like it", "disliked"),
        ("I've watched Salt Road. It was horrible", "disliked"),
        ("I haven't seen Salt Road, I hate deserts", "disliked"),
        ("Salt Road is a bit too slow", "disliked"),
        ("Salt Road was not bad", "liked"),
        ("I didn't hate Salt Road", "liked"),
        ("I'm tired of comedies. More films like Salt Road", "liked"),
        ("I can't wait to watch a film like Salt Road", "liked"),
        ("I have not seen any good films since Salt Road", "mentioned"),
        ("Salt Road is great but I want to laugh", "liked"),
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


@pytest.mark.parametrize("praise", ["like", "love", "enjoy"])
@pytest.mark.parametrize("negation", ["didn't", "did not", "didnt", "don’t", "never", "did not really"])
@pytest.mark.parametrize("listed", ["{}", "{} and {}", "{}, {}"])
def test_a_negation_turns_praise_round_for_a_whole_list(
    tiny_catalog: Catalog, praise: str, negation: str, listed: str
) -> None:
    named = listed.format("Salt Road", "Night Ferry")
    assert set(heard(tiny_catalog, ("user", f"I {praise} {named}")).values()) == {"liked"}
    assert set(heard(tiny_catalog, ("user", f"I {negation} {praise} {named}")).values()) == {"disliked"}


def test_what_stands_between_two_titles_is_of_one_of_them(tiny_catalog: Catalog) -> None:
    assert heard(tiny_catalog, ("user", "Salt Road was funny and Night Ferry was just weird")) == {
        "Salt Road": "liked",
        "Night Ferry": "disliked",
    }
    assert heard(tiny_catalog, ("user", "I saw Salt Road, hated Night Ferry")) == {
        "Salt Road": "seen",
        "Night Ferry": "disliked",
    }


def test_a_reply_may_be_of_what_was_offered_before_it_names_its_own(tiny_catalog: Catalog) -> None:
    talk: list[tuple[Role, str]] = [
        ("assistant", "Have you seen Salt Road?"),
        ("user", "I've seen that one and it's not my type. I really like Night Ferry"),
    ]
    assert heard(tiny_catalog, *talk) == {"Salt Road": "disliked", "Night Ferry": "liked"}


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("something like Salt Road", True),
        ("similar to Night Ferry and Salt Road", True),
        ("I like Salt Road", False),
        ("I'd like Salt Road", False),
        ("Salt Road", False),
    ],
)
def test_asking_for_the_like_of_a_title(tiny_catalog: Catalog, said: str, asked: bool) -> None:
    mentions = find_mentions(tiny_catalog, said)
    assert likened(said, mentions, len(mentions) - 1) == asked


@pytest.mark.parametrize(
    ("reply", "feeling"),
    [
        ("I loved it!", "liked"),
        ("I hated that one", "disliked"),
        ("haven't seen it", "mentioned"),
        ("I've seen that", "seen"),
        ("ok thanks", "mentioned"),
        ("That sounds good. I've seen it, not really my type", "disliked"),
        ("I haven't seen it but it looks too scary", "disliked"),
        ("I don't think I'll watch that one", "disliked"),
        ("I hate mondays and traffic", "mentioned"),
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
