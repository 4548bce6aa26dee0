"""One condition and the words for it: sampled from a world's columns by the rules of CONVENTIONS.md."""

import random
from dataclasses import dataclass
from typing import Any, Literal

from finetune.lexicon import ColumnWords, Form, Said
from finetune.worlds import World
from tools.measures import few
from tools.schema import Column

DECADES = {1920: "twenties", 1930: "thirties", 1940: "forties", 1950: "fifties", 1960: "sixties", 1970: "seventies",
           1980: "eighties", 1990: "nineties"}  # fmt: skip
PARTS = {"early": (0, 3), "mid": (4, 6), "late": (7, 9)}
UNSAYABLE = frozenset("%_'|\"(")  # characters of a name that a pattern of ILIKE would read otherwise
SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "="}


@dataclass(frozen=True)
class Piece:
    """A condition, an order, or both, as it is said at one place of a sentence.

    `form` says where: before the noun, instead of it, after it, or as a refusal of its own. `kept` are words that stand
    in the plan as they stand in the message, so that no typo may be put into them.
    """

    columns: tuple[str, ...]
    sql: str
    form: Form | Literal["refusal"]
    text: str
    order_by: str = ""
    kept: str = ""


def fill(frame: str, world: World, chance: random.Random, **slots: str) -> str:
    """A frame with its slots filled; {noun}, {nouns} and {a_noun} stand for what the world's items are called."""
    noun = chance.choice([world.domain.noun, *world.domain.nouns])
    general = {"noun": noun, "nouns": chance.choice(world.domain.plurals), "a_noun": with_article(noun)}
    for slot, text in {**general, **slots}.items():
        frame = frame.replace("{" + slot + "}", text)
    return frame


def quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 else str(int(value))


def any_piece(world: World, chance: random.Random, without: frozenset[str] = frozenset()) -> Piece | None:
    """A positive condition on a column that is not in `without`; None when the draw has nothing to say."""
    names = [name for name in world.words if name not in without]
    if not names:
        return None
    name = chance.choices(names, [_weight(world, name) for name in names])[0]
    return piece(world, name, chance)


def _weight(world: World, name: str) -> float:
    """How often people speak of a column, as in the development set: of years, then of the kind of thing and names."""
    words, column = world.words[name], world.manifest.column(name)
    if words.kind == "year":
        return 10.0
    if name == world.main:
        return 6.0
    if column is not None and column.type == "text" and column.values is None:
        return 5.0
    return 3.0 if column is not None and column.type in ("integer", "number") else 2.0


def piece(world: World, name: str, chance: random.Random) -> Piece | None:  # noqa: PLR0911 (one a type of column)
    column, words = world.manifest.column(name), world.words[name]
    if column is None:
        return None
    if column.values is not None:
        return _value(column, words, chance)
    if column.type == "boolean":
        truth = chance.random() < 0.7
        said = _form(words.true if truth else words.false, chance)
        return said and Piece((name,), f"{name} = {str(truth).lower()}", *said)
    if column.type == "text":
        return _name(world, column, words, chance)
    if words.kind == "year":
        return _year(world, column, words, chance)
    if words.kind == "rating":
        return _rating(world, column, words, chance)
    if words.kind == "count":
        return _count(world, column, words, chance)
    return _number(world, column, words, chance)


def _form(said: Said, chance: random.Random) -> tuple[Form, str] | None:
    forms = said.forms()
    if not forms:
        return None
    kind = chance.choice(sorted({form for form, _ in forms}))
    return chance.choice([pair for pair in forms if pair[0] == kind])


def is_value(column: Column, value: str) -> str:
    return f"{quote(value)} IN {column.name}" if column.is_list else f"{column.name} = {quote(value)}"


def _value(column: Column, words: ColumnWords, chance: random.Random) -> Piece | None:
    known = [value for value in column.values or () if value in words.values]
    if not known:
        return None
    weights = [1 / (1 + rank) ** 0.5 for rank in range(len(known))]  # the frequent ones are asked for more
    value = chance.choices(known, weights)[0]
    said = _form(words.values[value], chance)
    if said is None:
        return None
    if chance.random() < 0.1 and said[0] != "post":
        other = chance.choices(known, weights)[0]
        second = [text for form, text in words.values[other].forms() if form == said[0]]
        if other != value and second:
            text = f"{said[1]} or {chance.choice(second)}"
            if column.is_list:
                return Piece((column.name,), f"({is_value(column, value)} OR {is_value(column, other)})", said[0], text)
            return Piece((column.name,), f"{column.name} IN ({quote(value)}, {quote(other)})", said[0], text)
    return Piece((column.name,), is_value(column, value), *said)


def refusal(world: World, chance: random.Random, frames: dict[str, Any], held: frozenset[str]) -> Piece | None:
    """A value that is not wanted, in the refusal's own words; never one that `held` (SQL texts) asks for."""
    columns = [column for column in world.manifest.enumerated() if column.name in world.words]
    years = [name for name, words in world.words.items() if words.kind == "year"]
    if years and chance.random() < 0.08:
        name = years[0]
        column = world.manifest.column(name)
        decade = column and _decade(column, chance)
        if decade and decade.form == "post":
            text = fill(chance.choice(frames["not_post"]), world, chance, post=decade.text)
            return Piece((name,), f"NOT ({decade.sql})", "refusal", text)
    if not columns:
        return None
    column = chance.choice(columns)
    words = world.words[column.name]
    known = [value for value in column.values or () if value in words.values]
    if not known:
        return None
    value = chance.choice(known)
    sql = is_value(column, value)
    if sql in held:
        return None
    said = words.values[value]
    if said.refusal and chance.random() < 0.5:
        text = chance.choice(said.refusal)
    else:
        form = _form(said, chance)
        if form is None:
            return None
        kind, words_said = form
        if kind == "adj":
            text = fill(chance.choice(frames["not_adj"]), world, chance, adj=words_said)
        elif kind == "noun":
            text = fill(chance.choice(frames["not_nouns"]), world, chance, neg_nouns=plural(words_said))
        else:
            text = fill(chance.choice(frames["not_post"]), world, chance, post=words_said)
    return Piece((column.name,), f"NOT ({sql})", "refusal", text)


def _name(world: World, column: Column, words: ColumnWords, chance: random.Random) -> Piece | None:
    value = None
    for _ in range(20):
        found = chance.choice(world.items).get(column.name)
        if isinstance(found, (list, tuple)) and found:
            found = chance.choice(found[:3])
        if isinstance(found, str) and found and not set(found) & UNSAYABLE:
            value = found
            break
    if value is None or not words.post:
        return None
    if words.part:
        value = chance.choice([part.strip() for part in value.split(",")])
    if len(value) > 30:
        return None
    text = chance.choice(words.post).format(v=value)
    return Piece((column.name,), f"{column.name} ILIKE '%{value}%'", "post", text, kept=value)


def _numbers(world: World, column: Column, chance: random.Random) -> list[float]:
    drawn = [chance.choice(world.items).get(column.name) for _ in range(12)]
    return [float(value) for value in drawn if isinstance(value, (int, float))]


def _bound(world: World, column: Column, words: ColumnWords, chance: random.Random) -> Piece | None:
    """A condition with a number said as such."""
    if words.fixed and chance.random() < 0.3:
        fixed = chance.choice(words.fixed)
        return Piece((column.name,), f"{column.name} {fixed.where}", "post", fixed.say)
    found = _numbers(world, column, chance)
    kinds = [kind for kind in ("lt", "lt", "le", "gt", "ge", "between", "around", "eq") if getattr(words, kind)]
    if not found or not kinds:
        return None
    step = words.round or 1
    value = round(found[0] / step) * step
    if column.type == "integer":
        value = round(value)
    kind = chance.choice(kinds)
    phrase = chance.choice(getattr(words, kind))
    name = column.name
    if kind == "between":
        other = value + step * chance.choice([1, 2, 3, 4, 5, 10])
        if other > 2 * float(column.maximum or 0):  # more digits than the grammar lets the planner write
            return None
        low, high = number(value), number(other)
        return Piece(
            (name,), f"{name} BETWEEN {low} AND {high}", "post", phrase.format(a=low, b=high), kept=f"{low} {high}"
        )
    if kind == "around":
        spread = 2 if words.kind == "year" else max(1, round(abs(value) / 10))
        sql = f"{name} BETWEEN {number(value - spread)} AND {number(value + spread)}"
        return Piece((name,), sql, "post", phrase.format(n=number(value)), kept=number(value))
    typed = f"{value:,.0f}" if words.kind == "count" and value >= 1000 and chance.random() < 0.4 else number(value)
    return Piece((name,), f"{name} {SIGNS[kind]} {number(value)}", "post", phrase.format(n=typed), kept=typed)


def _number(world: World, column: Column, words: ColumnWords, chance: random.Random) -> Piece | None:
    orders = [(text, "ASC") for text in words.low] + [(text, "DESC") for text in words.high]
    if orders and chance.random() < 0.2:
        text, direction = chance.choice(orders)
        return Piece((), "", "adj", text, order_by=f"{column.name} {direction}")
    return _bound(world, column, words, chance)


def _year(world: World, column: Column, words: ColumnWords, chance: random.Random) -> Piece | None:
    newest = int(float(column.maximum or 0))
    draw = chance.random()
    if draw < 0.45:
        return _decade(column, chance)
    if draw < 0.64:
        if chance.random() < 0.5:
            text = chance.choice(["recent", "new", "modern", "newish", "up-to-date"])
            return Piece((column.name,), f"{column.name} >= {newest - 5}", "adj", text)
        return Piece(
            (column.name,), f"{column.name} < 1970", "adj", chance.choice(["old", "classic", "vintage", "old-school"])
        )
    if draw < 0.68:
        text = chance.choice(["from the last ten years", "from the past ten years", "of the last 10 years"])
        return Piece((column.name,), f"{column.name} >= {newest - 10}", "post", text)
    return _bound(world, column, words, chance)


def _decade(column: Column, chance: random.Random) -> Piece | None:
    low, high = (int(float(bound or 0)) for bound in (column.minimum, column.maximum))
    starts = [start for start in range(1920, 2030, 10) if low - 9 <= start <= high]
    if not starts:
        return None
    start = chance.choice(starts)
    short = f"{start % 100:02}s" if start < 2000 or chance.random() < 0.3 else f"{start}s"
    names = [short, short, f"{start}s"] + ([DECADES[start]] * 2 if start in DECADES else [])
    if start < 2000:
        names.append(f"'{short}")
    said = chance.choice(names)
    if chance.random() < 0.25:
        part = chance.choice(list(PARTS))
        a, b = PARTS[part]
        text = chance.choice(["from the {} {}", "{} {}", "of the {} {}", "made in the {} {}"]).format(part, said)
        return Piece((column.name,), f"{column.name} BETWEEN {start + a} AND {start + b}", "post", text, kept=text)
    form: Form = chance.choice(["adj", "post", "post"])
    patterns = ["from the {}", "of the {}", "made in the {}", "from {}", "out of the {}", "in the {}"]
    text = said if form == "adj" else chance.choice(patterns).format(said)
    return Piece((column.name,), f"{column.name} BETWEEN {start} AND {start + 9}", form, text, kept=text)


def primary(world: World, kind: str) -> str | None:
    """The column that unqualified words of ratings or counts mean."""
    names = [name for name, words in world.words.items() if words.kind == kind]
    preferred = {"rating": "rating_mean", "count": "rating_count"}.get(kind)
    return preferred if preferred in names else next(iter(names), None)


def _rating(world: World, column: Column, words: ColumnWords, chance: random.Random) -> Piece | None:
    if column.name != primary(world, "rating") or chance.random() < 0.35:
        return _bound(world, column, words, chance)
    high = chance.random() < 0.85
    forms: list[tuple[Form, str]] = [("adj", text) for text in (words.high if high else words.low)]
    forms += [("post", text) for text in (words.high_post if high else words.low_post)]
    if not forms:
        return None
    top = float(column.maximum or 0)
    sql = f"{column.name} >= {round(0.8 * top)}" if high else f"{column.name} <= {round(0.4 * top)}"
    return Piece((column.name,), sql, *chance.choice(forms))


def _count(world: World, column: Column, words: ColumnWords, chance: random.Random) -> Piece | None:
    if column.name != primary(world, "count"):
        return _bound(world, column, words, chance)
    draw, bound = chance.random(), f"{column.name} <= {few(column)}"
    rating = primary(world, "rating")
    rated = world.manifest.column(rating) if rating else None
    if draw < 0.4 and rated is not None and (words.gems or words.gems_adj):
        sql = f"{rated.name} >= {round(0.8 * float(rated.maximum or 0))} AND {bound}"
        forms: list[tuple[Form, str]] = [("noun", text) for text in words.gems] + [
            ("adj", text) for text in words.gems_adj
        ]
        return Piece((rated.name, column.name), sql, *chance.choice(forms))
    if draw < 0.7 and words.high:
        return Piece((), "", "adj", chance.choice(words.high), order_by=f"{column.name} DESC")
    if draw < 0.9 and words.low:
        return Piece((column.name,), bound, "adj", chance.choice(words.low))
    return _bound(world, column, words, chance)


def superlative(world: World, chance: random.Random) -> tuple[str, str] | None:
    """A word such as "cheapest" and its order."""
    found = []
    for name, words in world.words.items():
        if words.kind in ("rating", "count") and name != primary(world, words.kind):
            continue
        found += [(text, f"{name} ASC") for text in words.lowest] + [(text, f"{name} DESC") for text in words.highest]
    return chance.choice(found) if found else None


def with_article(phrase: str) -> str:
    return f"{'an' if phrase[:1].lower() in set('aeiou') else 'a'} {phrase}"


def plural(noun: str) -> str:
    """Of an English noun phrase: its last word."""
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("ss", "x", "ch", "sh")) else "s")
