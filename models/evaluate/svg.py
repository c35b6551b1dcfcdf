"""Two small plots as SVG text: lines over a share, and a reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 50, 190, 20, 40
COLOURS = (
    "#0b6e4f", "#c0392b", "#2471a3", "#b7950b", "#7d3c98", "#616a6b", "#d35400", "#148f77",
    "#884ea0", "#5d6d7e", "#a04000",
)  # fmt: skip

Point = tuple[float, float]


def lines(
    series: Mapping[str, Sequence[Point]], ticks: Sequence[float], *, title: str, below: str
) -> str:
    """A line a series; x is placed by rank among `ticks`, y is 0 to 1. The first line is thick."""
    place = {x: i / max(len(ticks) - 1, 1) for i, x in enumerate(ticks)}
    body = _axes(title, below)
    for x in ticks:
        body.append(_text(_x(place[x]), HEIGHT - BOTTOM + 16, f"{x:g}", "middle"))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{_x(place[x]):.1f},{_y(y):.1f}" for x, y in sorted(points))
        width = 3 if number == 0 else 1.3
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                    f'stroke-width="{width}"/>')  # fmt: skip
        body.append(_text(WIDTH - RIGHT + 12, TOP + 14 + 17 * number, name, "start", colour))
    return _whole(body)


def reliability(points: Sequence[Point], *, title: str) -> str:
    """Observed shares over mean scores, both 0 to 1, with the diagonal of a perfect score."""
    body = _axes(title, "mean score")
    body.append(f'<line x1="{_x(0):.1f}" y1="{_y(0):.1f}" x2="{_x(1):.1f}" y2="{_y(1):.1f}" '
                'stroke="#aaa" stroke-dasharray="4"/>')  # fmt: skip
    for x in (0.0, 0.5, 1.0):
        body.append(_text(_x(x), HEIGHT - BOTTOM + 16, f"{x:g}", "middle"))
    for x, y in points:
        body.append(f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="4" fill="{COLOURS[0]}"/>')
    return _whole(body)


def _axes(title: str, below: str) -> list[str]:
    body = [_text(LEFT, 13, title, "start")]
    for y in (0.0, 0.25, 0.5, 0.75, 1.0):
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(y):.1f}" y2="{_y(y):.1f}" '
                    'stroke="#ddd"/>')  # fmt: skip
        body.append(_text(LEFT - 6, _y(y) + 4, f"{y:g}", "end"))
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, below, "middle"))
    return body


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#222") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
            f"{escape(text)}</text>")  # fmt: skip


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _whole(body: Sequence[str]) -> str:
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="12">')  # fmt: skip
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>", ""])
