import pytest

from tests.folders import ITEMS, problem, read


@pytest.mark.parametrize(
    ("interactions", "message"),
    [
        ("item_id,rating\n1,5\n", "line 1: no column for the person; name it user_id"),
        ("user_id,rating\n1,5\n", "line 1: no column for the item; name it item_id"),
        ("user_id,item_id,rating\nu,1,5\nu,2,good\n", "line 3: column rating: 'good' is no number"),
        ("user_id,item_id,rating\nu,1,5\nu,2,inf\n", "line 3: column rating: 'inf' is no number"),
        ("user_id,item_id,rating\nu,1,\n", "line 2: column rating: is empty"),
        ("user_id,item_id,time\nu,1,noon\n", "line 2: column time: 'noon' is no time"),
        ("userId,itemId\nu,1\n,2\n", "line 3: column userId: is empty"),
        ("user_id,item_id\nu,1\nu,9\n", "line 3: column item_id: '9' is not among the items (1 of 2 are not)"),
    ],
)
def test_interactions_that_cannot_be_used(interactions: str, message: str) -> None:
    assert problem(items_csv=ITEMS, interactions_csv=interactions).startswith(f"interactions.csv: {message}")


def test_few_unknown_items_are_left_out_and_counted() -> None:
    lines = "".join(f"u{n},{n % 3 + 1}\n" for n in range(100))
    source = read(items_csv=ITEMS, interactions_csv=f"user_id,item_id\n{lines}u1,9\n")
    assert source.interactions is not None
    assert len(source.interactions) == 100
    assert source.notes == ("interactions.csv: left out 1 of 101 rows, whose items are not among the items",)


def test_interactions_of_all_shapes() -> None:
    lines = ["u,1,2,2001-01-01 00:00:00", "u,1,4,1000000000", "u,2,3.5,999", "v,1,1,2001-09-09T01:46:40Z"]
    source = read(
        items_csv=ITEMS.replace("item_id", "bookId"),
        interactions_csv="\n".join(["userId,bookId,rating,timestamp", *lines]),
    )
    assert source.interactions is not None
    assert sorted(source.interactions.to_pylist(), key=str) == [
        {"user_id": "u", "item_id": "1", "rating": 4.0, "timestamp": 1_000_000_000},
        {"user_id": "u", "item_id": "2", "rating": 3.5, "timestamp": 999},
        {"user_id": "v", "item_id": "1", "rating": 1.0, "timestamp": 1_000_000_000},
    ]
    assert source.noun == "book"
    assert source.items["rating_count"].to_pylist() == [2, 1, 0]
    assert source.items["rating_mean"].to_pylist() == [2.5, 3.5, None]


def test_interactions_without_ratings_have_no_mean() -> None:
    source = read(items_csv=ITEMS, interactions_csv="user,item\nu,1\nv,1\nv,2\n")
    assert [column.name for column in source.columns] == ["size", "rating_count"]
