"""Short descriptions from Wikipedia's page summary service (REST API v1, `/page/summary/TITLE`)."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow as pa
from tqdm import tqdm

from tools.enrich import Answer, append_record, read_catalog, read_record, record_path
from tools.errors import CatalogError
from tools.source import Source

BASE_URL = "https://en.wikipedia.org/api/rest_v1"
LICENCE = "CC BY-SA 4.0"
TRIES = 4  # of one request
PAUSE = 5.0  # seconds before another try, where the service names none
FAILURES = 5  # in a row after which nothing more is asked
LONGEST_PAUSE = 120.0  # seconds; a service that asks for more is busy for good


@dataclass
class Summaries:
    """A client that asks at most `rate` times a second; `sleep` takes seconds."""

    client: httpx.Client
    base_url: str = BASE_URL
    rate: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    _last: float = field(default=-1e9, init=False)

    def answer(self, item_id: str, title: str, year: int | None, noun: str) -> Answer:
        """The summary of the page on this item: the first of its likely titles whose text mentions the year.

        Raises httpx.HTTPError when the service cannot be reached or keeps refusing.
        """
        problem = "no page"
        for name in page_titles(title, year, noun):
            page = self._page(name)
            if page is None:
                continue
            text = " ".join(str(page.get("extract") or "").split())
            if page.get("type") == "disambiguation":
                problem = "a page of several meanings"
            elif not text:
                problem = "a page without a summary"
            elif str(year if year is not None else noun).lower() not in text.lower():
                problem = "a page on something else: it does not mention the year"
            else:
                return Answer(item_id=item_id, text=text, source=self._address(page, name), licence=LICENCE)
        return Answer(item_id=item_id, problem=problem)

    def _page(self, name: str) -> dict[str, Any] | None:
        """None where there is no such page."""
        address = f"{self.base_url.rstrip('/')}/page/summary/{quote(name.replace(' ', '_'), safe='')}"
        for attempt in range(1, TRIES + 1):
            self.sleep(max(0.0, self._last + 1 / self.rate - time.monotonic()))
            self._last = time.monotonic()
            response = self.client.get(address, follow_redirects=True)
            if response.status_code == httpx.codes.NOT_FOUND:
                return None
            busy = response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error
            if not busy or attempt == TRIES:
                break
            self.sleep(_pause(response))
        response.raise_for_status()
        try:
            page = response.json()
        except ValueError as error:
            raise httpx.DecodingError(f"{address}: not JSON") from error
        return page if isinstance(page, dict) else None

    def _address(self, page: dict[str, Any], name: str) -> str:
        try:
            return str(page["content_urls"]["desktop"]["page"])
        except (KeyError, TypeError):
            return f"{self.base_url.rstrip('/')}/page/summary/{quote(name.replace(' ', '_'), safe='')}"


def page_titles(title: str, year: int | None, noun: str) -> Iterator[str]:
    """The titles a page on an item can have, the surest first."""
    if year is not None:
        yield f"{title} ({year} {noun})"
    yield f"{title} ({noun})"
    yield title


def _pause(response: httpx.Response) -> float:
    wish = response.headers.get("Retry-After", "")
    return min(float(wish), LONGEST_PAUSE) if wish.isdigit() else PAUSE


def ask_about_all(catalog: Path, base_url: str, rate: float, limit: int, user_agent: str) -> Counter[str]:
    """Ask about every item that the catalog's record says nothing of, popular ones first, and write the answers there.

    What failed is printed, counted, and asked again next time. Gives counts by what came of it. Raises CatalogError
    when the catalog cannot be read and when the service fails several times in a row.
    """
    source, record = read_catalog(catalog), record_path(catalog)
    known = read_record(record)
    asked = [item for item in _items(source) if item[0] not in known][:limit]
    counts: Counter[str] = Counter()
    in_a_row = 0
    with httpx.Client(headers={"User-Agent": user_agent}, timeout=30) as client:
        summaries = Summaries(client, base_url, rate)
        for item_id, title, year in tqdm(asked, desc=f"{source.noun}s", unit=""):
            try:
                answer = summaries.answer(item_id, title, year, source.noun)
            except httpx.HTTPError as error:
                tqdm.write(f"{item_id} {title}: {error or type(error).__name__}")
                counts["failed"] += 1
                in_a_row += 1
                if in_a_row == FAILURES:
                    raise CatalogError(f"{base_url}: failed {FAILURES} times in a row ({error}); try later") from error
                continue
            in_a_row = 0
            append_record(record, [answer])
            counts[answer.problem or "described"] += 1
    return counts


def _items(source: Source) -> Iterator[tuple[str, str, int | None]]:
    items = source.items
    dated = "year" in items.column_names and pa.types.is_integer(items.schema.field("year").type)
    years = items["year"].to_pylist() if dated else [None] * len(items)
    return zip(items["item_id"].to_pylist(), items["title"].to_pylist(), years, strict=True)
