import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.source import clean_titles
from tools.text import fold, stem, tokenize
from tools.titles import Title, clean, normalise, put_article_first, split_year

WORDS = st.lists(st.text("bcdfghjkmnpqrtwz", min_size=2, max_size=8), min_size=1, max_size=5).map(" ".join)


@pytest.mark.parametrize(
    ("written", "shown", "alternates"),
    [
        ("Matrix, The", "The Matrix", ()),
        ("Atalante, L'", "L'Atalante", ()),
        ("Vitelloni, I", "I Vitelloni", ()),
        ("Girl, Interrupted", "Girl, Interrupted", ()),
        ("Seven (a.k.a. Se7en)", "Seven", ("Se7en",)),
        (
            "City of Lost Children, The (Cité des enfants perdus, La)",
            "The City of Lost Children",
            ("La Cité des enfants perdus",),
        ),
        ("Supercop (Police Story 3: Supercop) (Jing cha)", "Supercop", ("Police Story 3: Supercop", "Jing cha")),
        ("Nine (Nueve (o casi))", "Nine", ("Nueve (o casi)",)),
        ("Birdman: Or (The Unexpected Virtue)", "Birdman: Or (The Unexpected Virtue)", ()),
        ("Assassin(s)", "Assassin(s)", ()),
        ("(Untitled)", "(Untitled)", ()),
        ("Tea  for   Two ()", "Tea for Two ()", ()),
        ("Twice (Twice)", "Twice", ()),
        (")", ")", ()),
        ("", "", ()),
    ],
)
def test_clean(written: str, shown: str, alternates: tuple[str, ...]) -> None:
    assert clean(written) == Title(shown, alternates)


@given(st.text())
def test_clean_keeps_every_letter(written: str) -> None:
    title = clean(written)
    kept = sorted(fold("".join([title.display, *title.alternates])))
    assert {char for char in kept if char.isalnum()} <= {char for char in fold(written) if char.isalnum()}


def test_titles_that_would_read_alike_keep_their_brackets() -> None:
    shown, alternates = clean_titles(["Curious (Yellow)", "Curious (Blue)", "Curious (Red)"], [1967, 1967, 1968])
    assert shown == ["Curious (Yellow)", "Curious (Blue)", "Curious"]
    assert alternates == [("Curious", "Yellow"), ("Curious", "Blue"), ("Red",)]


@pytest.mark.parametrize(
    ("title", "rest", "year"),
    [
        ("Brazil (1985)", "Brazil", 1985),
        ("Babylon 5", "Babylon 5", None),
        ("2001: A Space Odyssey (1968) ", "2001: A Space Odyssey", 1968),
        ("Big (Book)", "Big (Book)", None),
        ("(1984)", "(1984)", None),
        ("Far Future (3001)", "Far Future (3001)", None),
    ],
)
def test_split_year(title: str, rest: str, year: int | None) -> None:
    assert split_year(title) == (rest, year)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Matrix, The", "the matrix"),
        ("M*A*S*H", "MASH"),
        ("A.I. Artificial Intelligence", "AI Artificial Intelligence"),
        ("Rocky II", "rocky 2"),
        ("Schindler's List", "Schindler\u2019s list"),
        ("Amélie", "AMELIE"),
        ("Fish & Chips", "fish and chips"),
        ("8½", "8 1/2"),
        ("Alien³", "Alien 3"),
        ("Bron/Broen", "bron broen"),
        ("Kærlighed", "kaerlighed"),
    ],
)
def test_spellings_of_one_title(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Die Hard", "Hard"), ("Rocky II", "Rocky III"), ("The", ""), ("V", "5"), ("Up", "Ups")]
)
def test_titles_that_are_not_one(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(WORDS, st.sampled_from(["The", "A", "An"]))
def test_the_article_does_not_count_wherever_it_stands(title: str, article: str) -> None:
    assert normalise(f"{title}, {article}") == normalise(f"{article} {title}") == normalise(title)


@given(WORDS, st.sampled_from(["Le", "Die", "El", "Il"]))
def test_an_inverted_article_goes_first(title: str, article: str) -> None:
    assert put_article_first(f"{title}, {article}") == f"{article} {title}"
    assert normalise(f"{title}, {article}") == normalise(f"{article} {title}")


@given(st.text())
def test_normalise_leaves_words_alone(title: str) -> None:
    assert normalise(title) == " ".join(normalise(title).casefold().split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Schindler's lists", ["schindler", "list"]),
        ("Cities, glasses & buses of Ålesund", ["city", "glasse", "buse", "alesund"]),
        ("don't", ["dont"]),
        ("snake_case 12 Monkeys", ["snake", "case", "12", "monkey"]),
        ("日本 Straße", ["日本", "strasse"]),
        ("the of and", []),
    ],
)
def test_tokenize(text: str, words: list[str]) -> None:
    assert tokenize(text) == words


@given(st.text())
def test_a_word_is_found_by_itself(text: str) -> None:
    """What a document was cut into is what a query of the same words is cut into."""
    words = tokenize(text)
    assert tokenize(text.upper()) == tokenize(text.upper().lower())
    assert all(word and not word.isspace() for word in words)


def test_stem() -> None:
    plurals = ("ties", "cities", "bus", "kiss", "films", "is", "heroes")
    assert [stem(word) for word in plurals] == ["tie", "city", "bus", "kiss", "film", "is", "heroe"]
