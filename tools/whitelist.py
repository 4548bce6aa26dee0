"""What may stand in a where: words and signs first, then nodes of the syntax tree. All else is refused by name."""

import sqlglot
from rapidfuzz import fuzz, process
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from tools.errors import ToolError
from tools.schema import Column, Manifest

LONGEST = 500  # characters
DEEPEST = 12  # brackets within brackets
FIXED = (Column(name="item_id", type="text"), Column(name="title", type="text"))  # every catalog has these
OPERATORS = "= != < <= > >= AND OR NOT IN BETWEEN LIKE IS NULL ( ) lower()"
FUNCTIONS = frozenset(
    {"lower", "upper", "any", "list_contains", "array_contains", "list_has", "array_has"}
    | {"list_has_any", "array_has_any", "list_has_all", "array_has_all"}
)
COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET})
_TOKENS = (
    _OPENING
    | _CLOSING
    | {TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING, TokenType.DASH, TokenType.COMMA}
    | {TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE}
    | {TokenType.AND, TokenType.OR, TokenType.NOT, TokenType.IN, TokenType.BETWEEN, TokenType.LIKE, TokenType.ILIKE}
    | {TokenType.IS, TokenType.NULL, TokenType.ISNULL, TokenType.NOTNULL, TokenType.TRUE, TokenType.FALSE}
)
_NODES: dict[type[exp.Expr], frozenset[str]] = {  # with the parts each may have
    **dict.fromkeys((exp.And, exp.Or, exp.Is, *COMPARISONS), frozenset({"this", "expression"})),
    **dict.fromkeys((exp.ArrayContains, exp.ArrayOverlaps, exp.ArrayContainsAll), frozenset({"this", "expression"})),
    **dict.fromkeys((exp.Like, exp.ILike), frozenset({"this", "expression", "negate"})),
    **dict.fromkeys((exp.Not, exp.Paren, exp.Neg, exp.Lower, exp.Upper), frozenset({"this"})),
    **dict.fromkeys((exp.Any, exp.Column, exp.Boolean), frozenset({"this"})),
    exp.In: frozenset({"this", "expressions", "field"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.Anonymous: frozenset({"this", "expressions"}),
    exp.Array: frozenset({"expressions"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Null: frozenset(),
}


class Whitelist:
    """The gates for one catalog's columns."""

    def __init__(self, manifest: Manifest) -> None:
        self._columns = {column.name.lower(): column for column in (*FIXED, *manifest.columns)}
        self._listed = ", ".join(column.name for column in self._columns.values())

    def refuse(self, found: str) -> ToolError:
        """The error that says what was found and what is allowed."""
        return ToolError(f"{found} is not allowed in where; allowed: columns {self._listed}; {OPERATORS}")

    def column(self, name: str) -> Column:
        """The column of that name, in any case. Raises ToolError naming the nearest column and all of them."""
        column = self._columns.get(name.lower())
        if column is None:
            nearest = process.extractOne(name.lower(), list(self._columns), scorer=fuzz.WRatio)[0]
            raise ToolError(
                f"no column {name!r}; the nearest is {self._columns[nearest].name}; columns: {self._listed}"
                " (a text stands in single quotes)"
            )
        return column

    def parse(self, text: str) -> exp.Expr:
        """The syntax tree, all nodes of allowed kinds and shapes. Raises ToolError; RecursionError when too deep."""
        self.check_tokens(text)
        try:
            tree = sqlglot.parse_one(text, read="duckdb", into=exp.Condition)
        except ParseError as error:
            near = error.errors[0]["highlight"] if error.errors else text
            raise ToolError(f"where does not parse at {near!r}; write: COLUMN = VALUE AND ...") from error
        for node in tree.walk():
            parts = _NODES.get(type(node))
            if parts is None or any(part and name not in parts for name, part in node.args.items()):
                raise self.refuse(type(node).__name__.upper())
        return tree

    def check_tokens(self, text: str) -> None:
        """Length, depth, and no word or sign that is not allowed. Raises ToolError."""
        if len(text) > LONGEST:
            raise ToolError(f"where has {len(text)} characters with its values spelled out; at most {LONGEST}")
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise self.refuse("a character that is no text")
        try:
            tokens = sqlglot.tokenize(text, read="duckdb")
        except TokenError as error:
            raise ToolError("where does not parse: a quote is not closed; write '' for a quote in a text") from error
        if not tokens:
            raise ToolError("where is empty; leave the call out to keep every item")
        depth = 0
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            self._check_token(text, token, following)
            depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
            if depth > DEEPEST:
                raise ToolError(f"where is nested too deeply; at most {DEEPEST} brackets within brackets")

    def _check_token(self, text: str, token: Token, following: Token | None) -> None:
        if token.comments:
            raise self.refuse("a comment")
        if token.token_type in _TOKENS:
            return
        word = token.text
        called = following is not None and following.token_type == TokenType.L_PAREN
        if called and word.isidentifier() and word.lower() not in FUNCTIONS:
            raise self.refuse(f"the function {word}()")
        if token.token_type == TokenType.VAR and not called:
            self.column(word)
        elif word.lower() not in (FUNCTIONS if called else self._columns):
            raise self.refuse(text[token.start : token.end + 1].upper())
