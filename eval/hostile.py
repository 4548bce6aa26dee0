"""Hostile text for the tools: conditions that almost pass, and what people have broken other databases with."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tools.catalog import Catalog
from tools.registry import TOOLS
from tools.schema import Column, Manifest

SECRET = "the-secret-of-the-fuzz-run"  # in the file that hostile text tries to read; must come out nowhere

# {secret} is a file with SECRET in it, {canary} one that must not come to be.
STATEMENTS = (
    *(
        "1=1) UNION SELECT * FROM read_csv('{secret}') --",
        "'; DROP TABLE items; --",
        "1; DELETE FROM items",
        "OR 1=1 --",
    ),
    *(
        "(SELECT count(*) FROM items)",
        "EXISTS(SELECT 1)",
        "year IN (SELECT row FROM items)",
        "ANY(SELECT 1)",
        "ALL(genres)",
    ),
    *(
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "VALUES (1)",
        "TABLE items",
        "FROM items",
        "DESCRIBE items",
        "SHOW TABLES",
    ),
    *("ATTACH '{canary}' AS x", "COPY items TO '{canary}'", "COPY (SELECT 1) TO '{canary}' (FORMAT csv)", "DETACH x"),
    *(
        "EXPORT DATABASE '{canary}'",
        "IMPORT DATABASE '{secret}'",
        "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO f() AS 1",
    ),
    *(
        "PRAGMA database_list",
        "CALL pragma_version()",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads=64",
        "RESET threads",
    ),
    *(
        "SET enable_external_access=true",
        "LIMIT 1",
        "ORDER BY 1",
        "GROUP BY ALL",
        "HAVING TRUE",
        "QUALIFY TRUE",
        "VACUUM",
    ),
)
CALLS = (
    *(
        "read_csv('{secret}')",
        "read_text('{secret}')",
        "read_blob('{secret}')",
        "read_parquet('{secret}')",
        "glob('/*')",
    ),
    *("getenv('HOME')", "current_setting('memory_limit')", "query('SELECT 1')", "query_table('items')", "pg_sleep(9)"),
    *("sqlite_scan('{secret}', 'x')", "duckdb_settings()", "range(1000000000)", "repeat('a', 1000000000)", "random()"),
    *(
        "CAST(year AS VARCHAR)",
        "TRY_CAST(year AS INT)",
        "year::VARCHAR",
        "COALESCE(year, 1)",
        "NULLIF(year, 1)",
        "IF(1, 2, 3)",
    ),
    *("CASE WHEN TRUE THEN 1 END", "regexp_matches(title, '(a+)+$')", "list_transform(genres, x -> x)", "len(genres)"),
    *(
        "lower(upper(lower(title)))",
        "concat(title, title)",
        "COLUMNS('.*')",
        "list_contains(genres)",
        "any_value(year)",
    ),
    *(
        "count(*)",
        "sum(year) OVER ()",
        "max(year) FILTER (WHERE TRUE)",
        "unnest(genres)",
        "struct_pack(a := 1)",
        "now()",
    ),
)
SCRAPS = (
    *(
        ";",
        "--",
        "/*",
        "*/",
        "/**/",
        "-- x\n",
        "#",
        "::",
        "||",
        "->",
        "->>",
        "~",
        "~~*",
        "^@",
        "@>",
        "<@",
        "&&",
        "**",
        "//",
    ),
    *(
        "%",
        "&",
        "|",
        "<<",
        ">>",
        "$1",
        "?",
        ":x",
        "@x",
        "{{",
        "}}",
        "[",
        "]",
        "[1]",
        "[1:2]",
        "(",
        ")",
        ".",
        ",",
        "+",
        "-",
    ),
    *(
        "'",
        '"',
        "`",
        "''",
        '""',
        "\\",
        "\\'",
        "E'\\x41'",
        "$$a$$",
        "$t$a$t$",
        "U&'\\0041'",
        "x'41'",
        "DATE '2000-01-01'",
    ),
    *("INTERVAL 1 DAY", "COLLATE NOCASE", "AT TIME ZONE 'UTC'", "IS DISTINCT FROM", "SIMILAR TO", "GLOB", "ESCAPE '!'"),
    *(
        "items.year",
        "main.items.year",
        "row",
        "rowid",
        "*",
        "excluded.year",
        "lambda",
        "AS x",
        "USING",
        "NATURAL",
        "ROW(1)",
    ),
    *(
        "1e999",
        "-1e999",
        "NaN",
        "'nan'",
        "Infinity",
        "-0",
        "0x10",
        "1_000",
        "1.",
        ".5",
        "9" * 60,
        "1e-999",
        "NULL",
        "TRUE",
    ),
)
LETTERS = (
    *("\0", "\n", "\r", "\t", "\x1b", "\x7f", "\u00a0", "\u200b", "\u202e", "\u2028", "\ufeff", "\ud800", "\udfff"),
    *("＇", "＂", "＝", "；", "（", "‘", "’", "ſ", "K", "İ", "ı", "ß", "é", "e\u0301", "𝐚", "🎬", "\U0010ffff"),
)
# Of ten calls about seven are filters, since filters take SQL; a dense search costs as much as a hundred of them.
WEIGHTS = {"sql_filter": 60, "facet_counts": 10, "title_lookup": 5, "bm25_search": 5, "dense_search": 0.2}
FAMILIES: tuple[Sequence[str], ...] = (STATEMENTS, CALLS, SCRAPS, LETTERS)


class Hostile:
    """Texts and arguments from one source of chance, over one catalog; the same seed gives the same ones."""

    def __init__(self, random: Random, catalog: Catalog, secret: str, canary: str) -> None:
        self._random = random
        self._manifest: Manifest = catalog.manifest
        self._titles = [str(title) for title in catalog.titles[:200]]
        self._ids = [str(item) for item in catalog.ids[:200]]
        self._paths = {"secret": secret, "canary": canary}

    def where(self) -> str:
        """A condition that is right, changed in one to four places; now and then nothing but hostile."""
        if self._random.random() < 0.1:
            return self._scrap()
        text = self._condition(self._random.choice((1, 1, 2, 3)))
        for _ in range(self._random.randint(0, 4)):
            text = self._random.choice(self._changes)(text)
        return text

    def call(self) -> tuple[str, Any]:
        """A tool's name and arguments: mostly of the right kinds with hostile text in them, else anything at all."""
        random = self._random
        name = random.choices(list(TOOLS), [WEIGHTS.get(name, 2) for name in TOOLS])[0]
        arguments = self._arguments(name)
        if name == "sql_filter" and random.random() < 0.7:
            return name, arguments
        for _ in range(random.randint(1, 2)):
            key = random.choice([*arguments, *TOOLS[name].arguments.model_fields, self._scrap()])
            arguments[key] = self._anything(2)
        if random.random() < 0.05:
            name = random.choice([self._scrap(), name.upper(), f"{name} ", ""])
        return name, arguments

    def _arguments(self, name: str) -> dict[str, Any]:
        random = self._random
        match name:
            case "sql_filter":
                order = {"order_by": self._order()} if random.random() < 0.2 else {}
                return {"where": self.where(), "limit": random.choice((1, 5, 20))} | order
            case "facet_counts":
                return {"column": random.choice(self._manifest.columns).name, "where": self.where()}
            case "cf_recommend":
                return {"liked": random.sample(self._ids, 2), "k": 5}
            case "similar_items":
                return {"item_id": random.choice(self._ids)}
            case "title_lookup":
                return {"title": self._changed(random.choice(self._titles))}
            case _:
                return {"query": self._changed(random.choice(self._titles)), "k": 5}

    def _order(self) -> str:
        return self._changed(f"{self._random.choice(self._manifest.columns).name} DESC, title")

    def _changed(self, text: str) -> str:
        return self._random.choice(self._changes)(text)

    def _anything(self, depth: int) -> Any:
        """Any JSON there is."""
        random = self._random
        kind = random.randrange(8 if depth else 6)
        if kind < 3:
            return self._scrap() if kind else self.where()
        if kind == 3:
            return random.choice((0, -1, 1, 10**9, 2**63, -(2**70), 1.5, 1e308, float("nan"), float("-inf")))
        if kind == 4:
            return random.choice((None, True, False, "", [], {}))
        if kind == 5:
            return random.choice(self._titles) * random.choice((1, 100, 2000))
        if kind == 6:
            return [self._anything(depth - 1) for _ in range(random.choice((1, 3, 50)))]
        return {self._scrap(): self._anything(depth - 1) for _ in range(3)}

    def _scrap(self) -> str:
        return self._random.choice(self._random.choice(FAMILIES)).format(**self._paths)

    def _condition(self, terms: int) -> str:
        """So many right terms, joined and now and then negated."""
        random = self._random
        parts = []
        for _ in range(terms):
            term = self._term(random.choice(self._manifest.columns))
            parts.append(random.choice(("{}", "{}", "({})", "NOT ({})", "NOT {}")).format(term))
        return random.choice((" AND ", " OR ", " and ")).join(parts)

    def _term(self, column: Column) -> str:
        random, name, value = self._random, f'"{column.name}"', self._value(column)
        forms: tuple[str, ...]
        if column.is_list:
            forms = ("{value} IN {name}", "list_contains({name}, {value})", "{name} = {value}", "{value} = ANY({name})")
        elif column.type == "text":
            forms = (
                "{name} = {value}",
                "{name} IN ({value}, {value})",
                "{name} ILIKE {value}",
                "lower({name}) = {value}",
            )
        else:
            forms = ("{name} {sign} {value}", "{name} BETWEEN {value} AND {value}", "{value} {sign} {name}")
        sign = random.choice(("=", "<", ">=", "!=", "<>", "=="))
        form: str = random.choice((*forms, "{name} IS NULL", "{name} IS NOT NULL"))
        return form.format(name=name, value=value, sign=sign)

    def _value(self, column: Column) -> str:
        random = self._random
        if column.type == "text":
            text = random.choice(column.values) if column.values else random.choice(self._titles)
            return "'" + text.replace("'", "''") + "'"
        if column.type == "boolean":
            return random.choice(("TRUE", "false"))
        if column.type == "date":
            return f"'{random.randint(1900, 2020)}-0{random.randint(1, 9)}-1{random.randint(0, 9)}'"
        return str(random.choice((random.randint(-5, 3000), round(random.uniform(0, 10), 2))))

    @property
    def _changes(self) -> tuple[Callable[[str], str], ...]:
        return (self._insert, self._insert, self._replace, self._drop, self._repeat, self._wrap, self._flip, self._grow)

    def _cut(self, text: str) -> tuple[str, str]:
        place = self._random.randint(0, len(text))
        return text[:place], text[place:]

    def _insert(self, text: str) -> str:
        before, after = self._cut(text)
        return f"{before}{self._random.choice(('', ' '))}{self._scrap()}{self._random.choice(('', ' '))}{after}"

    def _replace(self, text: str) -> str:
        """A word becomes something hostile."""
        words = text.split(" ")
        words[self._random.randrange(len(words))] = self._scrap()
        return " ".join(words)

    def _drop(self, text: str) -> str:
        before, after = self._cut(text)
        return before + after[self._random.randint(1, 5) :]

    def _repeat(self, text: str) -> str:
        before, after = self._cut(text)
        return before + after[: self._random.randint(1, 20)] * self._random.choice((2, 3, 40)) + after

    def _wrap(self, text: str) -> str:
        depth = self._random.choice((1, 2, 11, 13, 200))
        opening, closing = self._random.choice((("(", ")"), ("NOT (", ")"), ("lower(", ")"), ("[", "]"), ("f(", ")")))
        return opening * depth + text + closing * self._random.choice((depth, depth, depth - 1))

    def _flip(self, text: str) -> str:
        before, after = self._cut(text)
        return before + after.swapcase()

    def _grow(self, text: str) -> str:
        join = self._random.choice((" AND ", " OR ", ", ", "; ", " "))
        return join.join([text] * self._random.choice((2, 3, 60)))[: self._random.choice((499, 500, 501, 20_000))]
