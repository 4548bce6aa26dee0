"""Plots as inline SVG: no file beside the report, no script, colours that colour-blind people tell apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

# Okabe and Ito 2008, without yellow, which is too pale on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f", "#8c564b", "#332288")
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 176, 14, 44
TICKS = 4


@dataclass(frozen=True)
class Point:
    """A value with its interval; `low` and `high` equal it where there is none."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, measure: Mapping[str, float]) -> "Point":
        value = float(measure["mean"])
        return cls(value, float(measure.get("low", value)), float(measure.get("high", value)))


Series = Mapping[str, Sequence[Point | None]]  # by name, a point for each label; None where there is nothing


def lines(title: str, series: Series, labels: Sequence[str]) -> str:
    """A line for each series with its intervals as bands; the legend is ordered by the last values."""
    scale = _Scale.of(series)
    parts = [scale.axes()]
    for place, label in enumerate(labels):
        parts.append(_text(_x(place, len(labels)), HEIGHT - BOTTOM + 18, label, "middle"))
    for number, (name, points) in enumerate(series.items()):
        at = [(_x(place, len(labels)), point) for place, point in enumerate(points) if point is not None]
        if not at:
            continue
        colour = COLOURS[number % len(COLOURS)]
        band = [f"{x:.1f},{scale.y(p.high):.1f}" for x, p in at] + [
            f"{x:.1f},{scale.y(p.low):.1f}" for x, p in at[::-1]
        ]
        path = " ".join(f"{x:.1f},{scale.y(p.value):.1f}" for x, p in at)
        parts.append(f'<polygon points="{" ".join(band)}" fill="{colour}" fill-opacity="0.10"/>')
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, point in at:
            hint = _hint(name, point)
            parts.append(f'<circle cx="{x:.1f}" cy="{scale.y(point.value):.1f}" r="3" fill="{colour}">{hint}</circle>')
    return _figure(title, [*parts, *_legend(series)], HEIGHT)


def bars(title: str, series: Series, labels: Sequence[str]) -> str:
    """Groups of bars, a group for each label and a bar in it for each series, with intervals as whiskers."""
    scale = _Scale.of(series)
    parts = [scale.axes()]
    slot = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    width = min(0.8 * slot / max(len(series), 1), 36)
    for place, label in enumerate(labels):
        middle = LEFT + slot * (place + 0.5)
        parts.append(_text(middle, HEIGHT - BOTTOM + 18, label, "middle"))
        for number, (name, points) in enumerate(series.items()):
            point = points[place]
            if point is None:
                continue
            x = middle + width * (number - len(series) / 2)
            top, base = min(scale.y(point.value), scale.y(0)), max(scale.y(point.value), scale.y(0))
            colour = COLOURS[number % len(COLOURS)]
            parts.append(
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{width - 1:.1f}" height="{max(base - top, 0.5):.1f}"'
                f' fill="{colour}">{_hint(name, point)}</rect>'
            )
            if point.high > point.low:
                at = x + (width - 1) / 2
                parts.append(
                    f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{scale.y(point.low):.1f}" y2="{scale.y(point.high):.1f}"'
                    ' stroke="currentColor" stroke-opacity="0.7"/>'
                )
    return _figure(title, [*parts, *_legend(series, by_last=False)], HEIGHT)


@dataclass(frozen=True)
class _Scale:
    """The vertical axis: whole steps of a round size, from 0 or below to above the highest."""

    low: float
    high: float
    step: float

    @classmethod
    def of(cls, series: Series) -> "_Scale":
        held = [end for points in series.values() for point in points if point for end in (point.low, point.high)]
        low, high = min([0.0, *held]), max([0.0, *held])
        rough = (high - low) / TICKS or 0.25
        unit = 10.0 ** floor(log10(rough))
        step = unit * next(size for size in (1, 2, 2.5, 5, 10) if size * unit >= rough * 0.999)
        return cls(step * floor(low / step), step * max(ceil(high / step - 1e-9), floor(low / step) + 1), step)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self) -> str:
        parts = []
        for tick in range(round((self.high - self.low) / self.step) + 1):
            value = self.low + self.step * tick
            y = self.y(value)
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(_text(LEFT - 6, y + 4, _number(value), "end"))
        return "".join(parts)


def _x(place: int, places: int) -> float:
    """Where a label stands; a single one in the middle."""
    span = WIDTH - LEFT - RIGHT - 40
    return LEFT + 20 + (span * place / (places - 1) if places > 1 else span / 2)


def _legend(series: Series, by_last: bool = True) -> list[str]:
    """Names with their colours, one below the other, best last value first where `by_last` says so."""
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(series)}

    def last(name: str) -> float:
        return next((point.value for point in reversed(series[name]) if point is not None), float("-inf"))

    names = sorted(series, key=lambda name: -last(name)) if by_last else list(series)
    parts = []
    for place, name in enumerate(names):
        y = TOP + 8 + 19 * place
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 6}" width="12" height="12" fill="{colours[name]}"/>')
        parts.append(_text(WIDTH - RIGHT + 32, y + 4, name if len(name) < 23 else f"{name[:21]}…", "start"))
    return parts


def _figure(title: str, parts: Sequence[str], height: int) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg></figure>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _hint(name: str, point: Point) -> str:
    around = f" ({_number(point.low)} to {_number(point.high)})" if point.high > point.low else ""
    return f"<title>{escape(name)}: {_number(point.value)}{around}</title>"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
