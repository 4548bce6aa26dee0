"""The errors people and models see; each message is one line: what is wrong, where, what to do."""


class UsherError(Exception):
    """Base of every error a person may read. The command line prints it and exits 1."""


class CatalogError(UsherError):
    """A source or a built catalog that cannot be used; names file, row and column where there are any."""


class ToolError(UsherError):
    """A tool call the model (or a program) can mend; the message says what is allowed."""
