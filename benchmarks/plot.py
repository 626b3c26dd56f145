"""A plot of the ratios as SVG: each contender's time beside bpc -O2's, on a logarithmic axis."""

from html import escape
from math import log10

COLOURS = {
    "NumPy": "#7f7f7f",
    "NumPy tuned": "#111111",
    "JAX jit": "#1f77b4",
    "PyTorch": "#d95f02",
    "torch.compile": "#e7a13d",
    "autograd": "#7b52ab",
    "Tangent": "#b5498f",
    "CasADi": "#2a9d5c",
}
LEFT, RIGHT, TOP, ROW, WIDTH = 320, 24, 64, 24, 860
LOW, HIGH = -1.0, 3.0  # decades


def svg(results, subject="bpc -O2"):
    """Dots right of the line at 1 are slower than the subject."""
    rows = {k: w for k, w in results["workloads"].items() if subject in w["times"]}
    height = TOP + ROW * len(rows) + 40
    box = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        text(LEFT, 18, f"time / time of {subject}, {results['threads']} thread(s)"),
    ]
    shown = [c for c in COLOURS if c in results["contenders"]]
    for i, name in enumerate(shown):
        at = LEFT + i * (WIDTH - LEFT - RIGHT) / len(shown)
        out += [dot(at + 4, 36, COLOURS[name], name), text(at + 11, 40, name, size=9)]
    bottom = TOP + ROW * len(rows)
    for decade in range(int(LOW), int(HIGH) + 1):
        at, strong = place(10.0**decade), decade == 0
        stroke = "#444" if strong else "#ddd"
        out.append(f'<path d="M{at:.1f} {TOP - 8}V{bottom}" stroke="{stroke}"/>')
        out.append(text(at, bottom + 16, f"{10.0**decade:g}", anchor="middle"))
    for i, w in enumerate(rows.values()):
        y = TOP + ROW * i + ROW / 2
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#f0f0f0"/>')
        out.append(text(LEFT - 12, y + 4, w["title"], anchor="end"))
        for name in shown:
            if name in w["times"]:
                ratio = w["times"][name] / w["times"][subject]
                out.append(dot(place(ratio), y, COLOURS[name], f"{name}: {ratio:.2f}"))
    return "\n".join([*out, "</svg>", ""])


def place(ratio):
    """Across, for a ratio; what lies outside of the axis is drawn at its end."""
    part = (min(max(log10(ratio), LOW), HIGH) - LOW) / (HIGH - LOW)
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def dot(x, y, colour, title):
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}" fill-opacity="0.85">'
    return f"{circle}<title>{escape(title)}</title></circle>"


def text(x, y, words, anchor="start", size=12):
    style = f'text-anchor="{anchor}" font-size="{size}" fill="#222"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
