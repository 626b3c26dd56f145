"""The costs of the epochs as a picture: SVG of our own, PNG by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from bpc.training.arrays import write
from bpc.training.model import TrainingError

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 64, 16, 40, 44
#: key in the history, name, colour
SERIES = (("cost", "training", "#1f77b4"), ("valid", "validation", "#d95f02"))
History = Sequence[Mapping[str, float]]


def check(path: str) -> None:
    """TrainingError where no picture can be written under this name, before hours of training."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".svg", ".png"):
        raise TrainingError(f"--plot {path}: a name that ends in .svg or .png is expected")
    if suffix == ".png":
        _figure()


def draw(path: str, history: History, title: str) -> None:
    """Write the picture: the cost by epoch, on a logarithmic axis where it falls far."""
    if Path(path).suffix.lower() == ".png":
        write(path, _png(history, title))
    else:
        write(path, svg(history, title).encode())


def logarithmic(history: History) -> bool:
    """Whether the costs are positive and differ by more than a factor of 20."""
    values = [row[key] for row in history for key, _, _ in SERIES if key in row]
    return bool(values) and min(values) > 0 and max(values) > 20 * min(values)


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise TrainingError(
            "--plot: .png needs matplotlib, which is not installed: pip install 'bpc[train]'; "
            ".svg needs nothing"
        ) from None
    return Figure


def _png(history: History, title: str) -> bytes:
    figure = _figure()(figsize=(WIDTH / 100, HEIGHT / 100), layout="constrained")
    axes = figure.subplots()
    for key, name, colour in SERIES:
        values = [row[key] for row in history if key in row]
        if values:
            marker = "o" if len(values) == 1 else None
            axes.plot(range(1, len(values) + 1), values, marker=marker, color=colour, label=name)
    axes.set(xlabel="epoch", ylabel="cost", title=title)
    if logarithmic(history):
        axes.set_yscale("log")
    if history:
        axes.legend()
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150)
    return buffer.getvalue()


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers from low to high, about `count` of them: steps of 1, 2 or 5 times 10^n."""
    raw = (high - low) / count or 1.0
    power = 10.0 ** floor(log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))
    return [i * step for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """The logarithms of 1, 2, 5 times 10^n from low to high; of 10^n alone where those are many."""
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    powers = range(floor(low), ceil(high) + 1, max(1, ceil((high - low) / 8)))
    found = [p + log10(f) for p in powers for f in factors]
    return [v for v in found if low - 1e-9 <= v <= high + 1e-9]


def svg(history: History, title: str) -> str:
    """The picture as SVG text."""
    log = logarithmic(history)
    lines = {
        key: [log10(row[key]) if log else row[key] for row in history if key in row]
        for key, _, _ in SERIES
    }
    values = [v for line in lines.values() for v in line] or [0.0]
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    last = max(len(history), 2)

    def x(epoch: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / (last - 1):.1f}"

    def y(value: float) -> str:
        return f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        '<g font-family="sans-serif" font-size="12" fill="#333">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{escape(title)}</text>',
    ]
    for value in decades(low, high) if log else ticks(low, high):
        parts.append(f'<path d="M{LEFT} {y(value)}H{WIDTH - RIGHT}" stroke="#e5e5e5"/>')
        text = f"{10**value if log else value:.3g}"
        parts.append(f'<text x="{LEFT - 8}" y="{y(value)}" dy="4" text-anchor="end">{text}</text>')
    for epoch in sorted({max(1, round(t)) for t in ticks(1, last, 8)}):
        parts.append(f'<text x="{x(epoch)}" y="{HEIGHT - 24}" text-anchor="middle">{epoch}</text>')
    middle = (LEFT + WIDTH - RIGHT) // 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">epoch</text>')
    edge = WIDTH - RIGHT
    for key, name, colour in reversed([row for row in SERIES if lines[row[0]]]):
        points = " ".join(f"{x(i)},{y(v)}" for i, v in enumerate(lines[key], 1))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        place = points.rpartition(" ")[2].split(",")
        parts.append(f'<circle cx="{place[0]}" cy="{place[1]}" r="3" fill="{colour}"/>')
        parts.append(f'<text x="{edge}" y="22" text-anchor="end" fill="{colour}">{name}</text>')
        edge -= 84
    return "\n".join([*parts, "</g>", "</svg>", ""])
