"""What each kind of node looks like: a disc in its colour with a small line drawing, as an image for ECharts."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from core.lineage.types import NodeKind
from dashboard.palette import Palette

# (place in the palette's series, hollow): what is data is hollow or full in one colour, and so on by pairs.
LOOKS: dict[NodeKind, tuple[int, bool]] = {
    NodeKind.DATA: (0, False),
    NodeKind.DATASET: (0, True),
    NodeKind.PARAMS: (4, True),
    NodeKind.COMMIT: (7, True),
    NodeKind.CODE: (7, False),
    NodeKind.STAGE: (2, False),
    NodeKind.MODEL_FILE: (3, False),
    NodeKind.LOGGED_MODEL: (3, True),
    NodeKind.RUN: (6, False),
    NodeKind.RELEASE: (1, True),
    NodeKind.VERSION: (1, False),
    NodeKind.DEPLOYMENT: (5, False),
    NodeKind.PREDICTION_LOG: (5, True),
}
_CUBE = "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9"
# Drawn on a field of 24 by 24.
_LINES = {
    NodeKind.DATA: "M5 7c0-1.7 3-3 7-3s7 1.3 7 3-3 3-7 3-7-1.3-7-3zM5 7v10c0 1.7 3 3 7 3s7-1.3 7-3V7"
    "M5 12c0 1.7 3 3 7 3s7-1.3 7-3",
    NodeKind.DATASET: "M4 5h16v14H4zM4 10h16M10 5v14",
    NodeKind.PARAMS: "M4 8h16M4 16h16M9 5v6M15 13v6",
    NodeKind.COMMIT: "M3 12h5M16 12h5M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8z",
    NodeKind.CODE: "M9 7l-5 5 5 5M15 7l5 5-5 5",
    NodeKind.STAGE: "M8 5l11 7-11 7z",
    NodeKind.MODEL_FILE: "M7 3h7l4 4v14H7zM14 3v4h4",
    NodeKind.LOGGED_MODEL: _CUBE,
    NodeKind.RUN: "M9 3h6M10 3v6L5 19h14l-5-10V3M8 14h8",
    NodeKind.RELEASE: "M3 12V4h8l10 10-8 8zM7.5 8h.01",
    NodeKind.VERSION: _CUBE,
    NodeKind.DEPLOYMENT: "M12 19V6M6 11l6-6 6 6M5 21h14",
    NodeKind.PREDICTION_LOG: "M5 6h14M5 12h14M5 18h9",
}


@lru_cache(maxsize=256)
def disc(kind: NodeKind, palette: Palette, ring: str = "", *, over: bool = False) -> str:
    """An ECharts symbol for ``kind``; ``ring`` is a colour around it, what is ``over`` is drawn hollow."""
    index, hollow = LOOKS[kind]
    hollow = hollow or over
    colour = palette.series[index]
    fill, lines = (palette.background, colour) if hollow else (colour, palette.background)
    around = f'<circle cx="24" cy="24" r="22" fill="none" stroke="{ring}" stroke-width="3"/>' if ring else ""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="96" height="96">'
        f'{around}<circle cx="24" cy="24" r="18" fill="{fill}" stroke="{colour}" stroke-width="2.5"/>'
        f'<path transform="translate(13.2 13.2) scale(0.9)" d="{_LINES[kind]}" fill="none" stroke="{lines}" '
        'stroke-width="2" stroke-linejoin="round" stroke-linecap="round"/></svg>'
    )
    return f"image://data:image/svg+xml,{quote(svg)}"
