"""The OpenAPI document as a page to read, with an example to copy for every path. It loads nothing from elsewhere."""

import json
import shlex
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #1c1917; background: #fafaf9; }
pre { background: #e7e5e4; padding: .75rem; overflow-x: auto; border-radius: .5rem; }
section { border-top: 1px solid #d6d3d1; padding-top: .5rem; }
@media (prefers-color-scheme: dark) { body { color: #e7e5e4; background: #0c0a09; } pre { background: #292524; } }
"""


def docs_page(document: dict[str, Any], url: str) -> str:
    """HTML; `url` is where the server answers, for the examples."""
    schemas = document.get("components", {}).get("schemas", {})
    parts = [
        _section(path, method, operation, schemas, url)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        '<meta name="viewport" content="width=device-width">'
        f"<h1>{title} {escape(document['info']['version'])}</h1><p>{escape(document['info']['description'])}</p>"
        f'<p>For programs: <a href="/openapi.json">openapi.json</a></p>{"".join(parts)}</html>'
    )


def _section(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any], url: str) -> str:
    about = f"<p>{escape(operation['description'])}</p>" if operation.get("description") else ""
    examples = _bodies(operation, schemas) or {"": None}
    curls = "".join(
        f"<pre>{escape(_curl(method, url + path.replace('{name}', name).replace('{user}', 'ann'), body))}</pre>"
        for name, body in examples.items()
    )
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p><b>{escape(operation['summary'])}</b></p>"
        f"{about}{curls}</section>"
    )


def _bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Example bodies by name: the operation's own, or else those of its schema."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    named = {name: example["value"] for name, example in content.get("examples", {}).items()}
    schema = schemas.get(content.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
    return named or {str(number): example for number, example in enumerate(schema.get("examples", []))}


def _curl(method: str, url: str, body: Any) -> str:
    command = f"curl {url}" if method in ("get", "post") else f"curl -X {method.upper()} {url}"
    if body is None:
        return command
    text = shlex.quote(json.dumps(body))
    return f"{command} \\\n  -H 'Content-Type: application/json' -d {text}"
