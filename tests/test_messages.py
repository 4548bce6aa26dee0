"""What the model reads of a long message."""

from hypothesis import given
from hypothesis import strategies as st

from agent.messages import CUT, MESSAGE, clean, ends


@given(st.text(max_size=3 * MESSAGE))
def test_a_message_is_one_line_within_its_limit(text: str) -> None:
    read = ends(text)
    assert len(read) <= MESSAGE
    assert len(read.splitlines()) <= 1
    if len(clean(text, len(text))) <= MESSAGE:
        assert read == clean(text)


def test_the_end_of_a_long_story_is_read() -> None:
    story = "we were at my sister's and " * 60
    read = ends(f"So {story} now what we want is a short comedy from the nineties")
    assert read.startswith("So we were")
    assert read.endswith("now what we want is a short comedy from the nineties")
    assert CUT in read


def test_words_stay_whole_where_it_is_cut() -> None:
    words = [f"word{number}" for number in range(300)]
    left, right = ends(" ".join(words)).split(CUT)
    assert set(left.split()) | set(right.split()) <= set(words)
