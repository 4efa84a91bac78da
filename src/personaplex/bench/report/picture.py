"""The timeline picture of one sample: both waveforms, both speech activities, words and events over one clock.

An SVG whose colours are the page's, light or dark as the reader's screen is. Knows no files and no metrics.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from personaplex.bench.records import Event, Span
from personaplex.frames import SAMPLE_RATE

HEIGHT = 244  # px
_MIN_WIDTH, _MAX_WIDTH, _PER_SECOND = 1080, 8000, 36  # px
_COLUMN = 2  # px of a waveform's column
_LETTER, _LETTER_WIDTH, _ROW = 10, 5.6, 12  # px: type size, mean width of a letter, from one row of words to the next
_LEFT = 3  # px between a moment and what is written at it

# Colours that matplotlib writes, exchanged for the page's variables afterwards.
_INK = {name: f"#0101{at:02x}" for at, name in enumerate(["ink", "soft", "line", "agent", "user", "event"])}
_NAMES = {colour: name for name, colour in _INK.items()}
_FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",sans-serif'


@dataclass(frozen=True)
class Voice:
    """One side of the conversation.

    Attributes:
        pcm: float32 `[n]` at 24 kHz, or None where there is no sound.
        speech: when it speaks, in seconds.
        words: `(text, start, end)` in seconds.
    """

    pcm: np.ndarray | None
    speech: Sequence[Span] = ()
    words: Sequence[tuple[str, float, float]] = ()

    @property
    def seconds(self) -> float:
        """Length of its sound; 0 without one."""
        return 0.0 if self.pcm is None else len(self.pcm) / SAMPLE_RATE


@dataclass(frozen=True)
class _Lane:
    """Where one voice is drawn, in px from the top."""

    colour: str
    name: str
    words: int
    speech: int
    wave: tuple[int, int]


_USER = _Lane("user", "user", 30, 69, (76, 122))
_AGENT = _Lane("agent", "agent", 184, 173, (124, 170))
_CLOCK = 224


def width(seconds: float) -> int:
    """The picture's width in px; its left edge is second 0, its right edge the end."""
    return round(min(max(_MIN_WIDTH, seconds * _PER_SECOND), _MAX_WIDTH))


def draw(user: Voice, agent: Voice, events: Sequence[Event], seconds: float) -> str:
    """The timeline as SVG text, `width(seconds)` × `HEIGHT` px.

    Args:
        user: drawn above.
        agent: drawn below.
        events: marked across both.
        seconds: the length of the clock.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    wide = width(seconds)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "timeline", "text.parse_math": False}):
        sheet = Figure(figsize=(wide / 72, HEIGHT / 72), dpi=72)
        FigureCanvasSVG(sheet)
        axes = sheet.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, wide)
        axes.set_ylim(HEIGHT, 0)
        pen = _Pen(axes, wide / seconds, wide)
        _clock(pen, seconds)
        _events(pen, events)
        for voice, lane in ((user, _USER), (agent, _AGENT)):
            _voice(pen, voice, lane)
        out = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's screen has its own letters
            sheet.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _dressed(out.getvalue())


@dataclass(frozen=True)
class _Pen:
    """Draws at seconds from the left and px from the top."""

    axes: Any
    scale: float  # px a second
    width: int

    def line(self, at: float, top: float, bottom: float, colour: str, **style: Any) -> None:
        x = at * self.scale
        self.axes.plot([x, x], [top, bottom], color=_INK[colour], **{"linewidth": 1} | style)

    def box(self, start: float, end: float, top: float, bottom: float, colour: str, alpha: float = 1.0) -> None:
        from matplotlib.patches import Rectangle

        x, wide = start * self.scale, max(1.0, (end - start) * self.scale)
        self.axes.add_patch(Rectangle((x, top), wide, bottom - top, color=_INK[colour], alpha=alpha, linewidth=0))

    def text(self, at: float, top: float, text: str, colour: str, **style: Any) -> None:
        x = at * self.scale + _LEFT
        style = {"size": _LETTER} | style
        self.axes.text(x, top, text, color=_INK[colour], va="top", ha="left", clip_on=False, **style)


def _clock(pen: _Pen, seconds: float) -> None:
    step = next((s for s in (1, 2, 5, 10, 30, 60) if s * pen.scale >= 34), 60)
    for second in np.arange(0, seconds, step):
        pen.line(second, _USER.words - 4, _CLOCK + 14, "line", linewidth=0.7, zorder=0)
        pen.text(second, _CLOCK + 3, f"{second:g} s", "soft", size=9)


def _voice(pen: _Pen, voice: Voice, lane: _Lane) -> None:
    top, bottom = lane.wave
    middle, half = (top + bottom) / 2, (bottom - top) / 2
    pen.box(0, pen.width / pen.scale, lane.speech, lane.speech + 4, "line", 0.6)
    for start, end in voice.speech:
        if _drawable(start, end):
            pen.box(start, end, lane.speech, lane.speech + 4, lane.colour)
    pen.box(0, pen.width / pen.scale, middle - 0.5, middle + 0.5, lane.colour, 0.5)
    if voice.pcm is not None and len(voice.pcm):
        columns = max(1, int(voice.seconds * pen.scale / _COLUMN))
        low, high = envelope(voice.pcm, columns)
        x = np.linspace(0, voice.seconds * pen.scale, columns)
        pen.axes.fill_between(
            x, middle - half * high, middle - half * low, color=_INK[lane.colour], linewidth=0, alpha=0.75
        )
    name = lane.name if voice.pcm is not None else f"{lane.name}: no sound"
    pen.text(0, top - 1 if lane is _USER else bottom - 11, name, lane.colour, weight="bold")
    for text, start, row in _rows(((text, start) for text, start, _ in voice.words), pen.scale, rows=3):
        pen.text(start, lane.words + row * _ROW, text, "ink")


def _events(pen: _Pen, events: Sequence[Event]) -> None:
    drawn = sorted((event for event in events if _drawable(event.start)), key=lambda event: event.start)
    for event in drawn:
        if event.end is not None and _drawable(event.start, event.end):
            pen.box(event.start, event.end, _USER.words - 4, _CLOCK, "event", 0.13)
        pen.line(event.start, 2, _CLOCK, "event", linewidth=1.2, dashes=(3, 2))
    for text, start, row in _rows(((event.kind, event.start) for event in drawn), pen.scale, rows=2):
        pen.text(start, 1 + row * _ROW, text, "event")


def _rows(texts: Any, scale: float, rows: int) -> Iterator[tuple[str, float, int]]:
    """Lay texts on rows so that none covers another; what finds no place is left out."""
    ends = [-math.inf] * rows
    for text, start in texts:
        text = "".join(letter for letter in str(text) if letter.isprintable()).strip()
        if not text or not _drawable(start):
            continue
        free = [row for row in range(rows) if ends[row] <= start * scale]
        if free:
            ends[free[0]] = start * scale + _LETTER_WIDTH * (len(text) + 1)
            yield text, start, free[0]


def _drawable(start: float, end: float | None = None) -> bool:
    """Whether a moment or a stretch lies on the clock at all."""
    return math.isfinite(start) and start >= 0 and (end is None or (math.isfinite(end) and end >= start))


def envelope(pcm: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest sample of each column, `[columns]` twice, scaled so that the loudest is 1.

    Sound that peaks below -20 dB of full scale is not blown up to fill its lane.
    """
    edges = np.linspace(0, len(pcm), columns, endpoint=False).astype(int)
    low, high = np.minimum.reduceat(pcm, edges), np.maximum.reduceat(pcm, edges)
    peak = max(0.1, float(np.abs(pcm).max()))
    return low / peak, high / peak


def _dressed(svg: str) -> str:
    """The page's colours and font, shorter numbers, and a style sheet of its own."""
    style = files(__package__).joinpath("palette.css").read_text("utf-8")
    style += f"text {{ font-family: {_FONT} !important; }}"
    return re.sub(r"<[^>]+>", _dressed_tag, svg).replace("<defs>", f"<defs><style>{style}</style>", 1)


def _dressed_tag(tag: re.Match[str]) -> str:
    """One tag of it; what stands between tags was said by somebody and stays as it is."""
    text = re.sub(r"(fill|stroke): (#0101\w\w)", lambda use: f"{use[1]}: var(--{_NAMES[use[2]]})", tag[0])
    text = re.sub(r"font: (bold )?([\d.]+px) [^;\"]*", r"font: \1\2 sans-serif", text)
    return re.sub(r"(\d+\.\d)\d+", r"\1", text) if text.startswith("<path") else text
