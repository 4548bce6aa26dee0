"""Boolean SQL written by a model, read through a white list and written afresh.

The SQL that runs is generated from what was understood, with every literal a parameter, so that no character of the
text reaches DuckDB. `tools.whitelist` says what may be written, `tools.terms` what the conditions mean.
"""

import re
from dataclasses import dataclass

from sqlglot import exp

from tools import terms
from tools.errors import ToolError
from tools.literals import Literal, Value, clip, describe_type, quote_column, typed
from tools.schema import Column, Manifest
from tools.terms import Term
from tools.text import fold
from tools.vocabulary import closest
from tools.whitelist import COMPARISONS, DEEPEST, FUNCTIONS, Whitelist

MOST_TERMS = 40
MOST_SPELLED = 8  # values a pattern over an enumerated column may stand for before it stays a pattern

_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WILDCARDS = {"%": ".*", "_": "."}
_ORDER = re.compile(
    r'(?:(?P<bare>\w+)|"(?P<quoted>(?:[^"]|"")+)")(?:\s+(?P<direction>asc|desc))?(?:\s+nulls\s+(?:first|last))?',
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Where:
    """`sql` with its `parameters` is for DuckDB; `canonical` says the same for people, and parses to the same again.

    `conjuncts` are the conditions that the top-level ANDs join, in canonical text: any of them can be given up alone.
    `refusals` are those among them that say only what is not wanted.
    """

    sql: str
    parameters: tuple[Value, ...]
    canonical: str
    columns: tuple[str, ...]
    conjuncts: tuple[str, ...]
    refusals: tuple[str, ...]


def parse_where(text: str, manifest: Manifest) -> Where:
    """Raises ToolError saying what was found and what is allowed, for every text that is not on the white list."""
    allowed = Whitelist(manifest)
    try:
        term = _Reader(allowed, manifest.noun).read(allowed.parse(text), negated=False)
    except RecursionError as error:
        raise ToolError(f"where is nested too deeply; at most {DEEPEST} brackets within brackets") from error
    leaves = list(term.leaves())
    if len(leaves) > MOST_TERMS:
        raise ToolError(f"where has {len(leaves)} conditions; at most {MOST_TERMS}")
    allowed.check_tokens(term.canonical)  # spelled out it may be longer and deeper, and must still parse
    joined = term.op == "AND"
    parts = term.parts if joined else (term,)
    conjuncts = [(f"({part.canonical})" if joined and part.op else part.canonical, part) for part in parts]
    return Where(
        sql=term.sql,
        parameters=term.parameters,
        canonical=term.canonical,
        columns=tuple(dict.fromkeys(leaf.column for leaf in leaves)),
        conjuncts=tuple(alone for alone, _ in conjuncts),
        refusals=tuple(alone for alone, part in conjuncts if all(leaf.negated for leaf in part.leaves())),
    )


def parse_order_by(text: str, manifest: Manifest) -> str:
    """ORDER BY terms of scalar columns as DuckDB SQL; items without a value always come last. Raises ToolError."""
    allowed = Whitelist(manifest)
    ordered = []
    for part in text.split(","):
        match = _ORDER.fullmatch(part.strip())
        if match is None:
            raise ToolError(f"order_by: {part.strip()!r} is not allowed; write columns as: COLUMN [ASC|DESC], ...")
        column = allowed.column(match["bare"] or match["quoted"].replace('""', '"'))
        if column.is_list:
            raise ToolError(f"order_by: {column.name} is {describe_type(column)} and has no order")
        ordered.append(f"{quote_column(column.name)} {(match['direction'] or 'ASC').upper()} NULLS LAST")
    return ", ".join(ordered)


class _Reader:
    """From the nodes of a syntax tree to Terms."""

    def __init__(self, allowed: Whitelist, noun: str) -> None:
        self._allowed = allowed
        self._noun = noun

    def read(self, node: exp.Expr, negated: bool) -> Term:  # noqa: PLR0911 (one a kind of node)
        """The condition a node states, or its negation."""
        match node:
            case exp.Paren():
                return self.read(node.this, negated)
            case exp.Not():
                return self.read(node.this, not negated)
            case exp.And() | exp.Or():
                parts = [self.read(part, negated) for part in node.flatten()]
                return terms.join("AND" if isinstance(node, exp.And) != negated else "OR", parts)
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                return self._comparison(node, negated)
            case exp.In():
                return self._in(node, negated)
            case exp.Between():
                column, low, high = self._column(node.this), node.args["low"], node.args["high"]
                _need_order(column, "BETWEEN")
                return terms.between(column, self._value(column, low), self._value(column, high), negated)
            case exp.Like() | exp.ILike():
                return self._like(node, negated != bool(node.args.get("negate")))
            case exp.Is():
                return self._is(node, negated)
            case exp.ArrayContains() | exp.ArrayOverlaps() | exp.ArrayContainsAll() | exp.Anonymous():
                return self._membership(node, negated)
            case exp.Column() if self._column(node).sql_type == "BOOLEAN":
                return terms.equal(self._column(node), [True], negated)
        raise ToolError(f"{_show(node)} alone is no condition in where; compare a column with a value")

    def _comparison(self, node: exp.Expr, negated: bool) -> Term:
        left, right, operator = _bare(node.this), _bare(node.expression), COMPARISONS[type(node)]
        if isinstance(right, exp.Any) and operator == "=":
            return self._any_of(left, _elements(right.this), negated)
        if not isinstance(left, exp.Column):
            left, right, operator = right, left, _FLIPPED[operator]
        if not isinstance(left, exp.Column):
            raise ToolError(
                f"{_show(node)} compares no column with a value; write a range as: COLUMN BETWEEN LOW AND HIGH"
            )
        if operator in ("=", "!="):
            return self._any_of(left, [right], negated != (operator == "!="))
        column = self._column(left)
        _need_order(column, operator)
        return terms.ordered(column, operator, self._value(column, right), negated)

    def _any_of(self, left: exp.Expr, right: list[exp.Expr], negated: bool) -> Term:
        """Membership, whichever side the column stands on."""
        if not isinstance(left, exp.Column) and len(right) == 1:
            left, right = right[0], [left]
        column = self._column(left)
        return terms.equal(column, [self._value(column, value) for value in right], negated)

    def _in(self, node: exp.Expr, negated: bool) -> Term:
        right = (
            _elements(node.args["field"]) if node.args.get("field") else [_bare(value) for value in node.expressions]
        )
        if not right:
            raise ToolError("IN has an empty list in where; give it at least one value")
        return self._any_of(_bare(node.this), right, negated)

    def _membership(self, node: exp.Expr, negated: bool) -> Term:
        """list_contains, list_has_any and list_has_all, by any of their names."""
        arguments = node.expressions if isinstance(node, exp.Anonymous) else [node.this, node.expression]
        name = node.name.lower()
        if isinstance(node, exp.Anonymous) and (name not in FUNCTIONS or len(arguments) != 2):
            raise self._allowed.refuse(f"{name}() with {len(arguments)} arguments")
        column = self._column(arguments[0])
        values = [self._value(column, value) for value in _elements(arguments[1])]
        if isinstance(node, exp.ArrayContainsAll) or name.endswith("_all"):
            every = [terms.equal(column, [value], negated) for value in values]
            return terms.join("OR" if negated else "AND", every)
        return terms.equal(column, values, negated)

    def _like(self, node: exp.Expr, negated: bool) -> Term:
        column, pattern = self._column(node.this), self._literal(node.expression)
        if column.type != "text" or not isinstance(pattern, str):
            raise ToolError(f"{column.name} is {describe_type(column)}: LIKE compares texts; use = or IN")
        if not set(pattern) & set(_WILDCARDS):
            return terms.equal(column, [typed(column, pattern, self._noun)], negated)
        if column.values is None:
            return terms.like(column, pattern, negated)
        shape = re.compile("".join(_WILDCARDS.get(char) or re.escape(char) for char in fold(pattern)), re.DOTALL)
        values = [value for value in column.values if shape.fullmatch(fold(value))]
        if len(values) > MOST_SPELLED:
            return terms.like(column, pattern, negated)
        return terms.equal(column, values or [closest(column, pattern.strip("%_ "), self._noun)], negated)

    def _is(self, node: exp.Expr, negated: bool) -> Term:
        column = self._column(node.this)
        if isinstance(node.expression, exp.Null):
            return terms.missing(column, negated)
        if isinstance(node.expression, exp.Boolean):
            return terms.equal(column, [self._value(column, node.expression)], negated)
        raise self._allowed.refuse("IS with anything but NULL")

    def _column(self, node: exp.Expr) -> Column:
        node = _bare(node)
        if not isinstance(node, exp.Column):
            raise ToolError(f"{_show(node)} is no column; where compares columns with values: COLUMN = VALUE")
        return self._allowed.column(node.name)

    def _value(self, column: Column, node: exp.Expr) -> Value:
        return typed(column, self._literal(node), self._noun)

    def _literal(self, node: exp.Expr) -> Literal:
        node = _bare(node)
        if isinstance(node, exp.Boolean):
            return bool(node.this)
        if isinstance(node, exp.Null):
            raise ToolError("NULL equals nothing in where; write COLUMN IS NULL or COLUMN IS NOT NULL")
        sign, number = (-1, node.this) if isinstance(node, exp.Neg) else (1, node)
        if not isinstance(number, exp.Literal) or (number.is_string and sign < 0):
            raise ToolError(f"{_show(node)} is no value; write a number, or a text in 'single quotes'")
        if number.is_string:
            return str(number.this)
        return sign * (int(number.this) if number.this.isdigit() else float(number.this))


def _bare(node: exp.Expr) -> exp.Expr:
    """Without brackets, and without lower() and upper(), which change nothing: texts are compared without case."""
    while isinstance(node, exp.Paren | exp.Lower | exp.Upper):
        node = node.this
    return node


def _elements(node: exp.Expr) -> list[exp.Expr]:
    """Of a list in square brackets, what it holds; of anything else, itself."""
    node = _bare(node)
    return node.expressions if isinstance(node, exp.Array) else [node]


def _show(node: exp.Expr) -> str:
    return clip(node.sql("duckdb"))


def _need_order(column: Column, operator: str) -> None:
    if column.is_list or column.values is not None or column.type == "boolean":
        raise ToolError(f"{column.name} is {describe_type(column)} and has no order for {operator}; use = or IN")
