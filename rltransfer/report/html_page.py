"""Pages of one file that ask the network for nothing: templates and figures.

Figures are inline SVG: black is whatever the reader's scheme has for ink, and letters
are letters, so that they are read aloud and found.
"""

import io
import re
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from rltransfer.errors import StorageError
from rltransfer.io import write_atomically

REPORT = "report.html"
"""In the folder of a run."""
WIDTH = 3.9
"""Inches of a figure that fills the width of a phone."""
_STYLE: dict[Any, Any] = {
    "axes.facecolor": "none",
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "svg.fonttype": "none",
    # Names out of files may hold what looks like mathematics.
    "text.parse_math": False,
}
_OF_NAMESPACES = re.compile(r' xmlns(:\w+)?="[^"]*"| version="[^"]*"')
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_GROUP_ID = re.compile(r'<g id="[^"]*"')


def figure_svg(
    name: str,
    label: str,
    draw: Callable[[Figure], None],
    height: float,
    width: float = WIDTH,
) -> Markup:
    """Returns a figure as an element of a page.

    Args:
        name: unlike those of the page's other figures.
        label: what is read aloud in its place.
        draw: onto the figure.
        height: in inches.
        width: likewise.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        text = io.StringIO()
        unversioned = {"Date": None, "Creator": None}
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(  # type: ignore[no-untyped-call]  # has no types
            text, metadata=unversioned
        )
    drawn = text.getvalue()
    svg = _METADATA.sub("", drawn[drawn.index("<svg") :])
    opening, _, rest = svg.partition(">")
    opening = _OF_NAMESPACES.sub("", opening)
    rest = _GROUP_ID.sub("<g", rest).replace("xlink:href", "href")
    rest = rest.replace("#000000", "currentColor")
    label = Markup(' role="img" aria-label="{}">').format(label)
    return Markup(opening) + label + Markup(rest.strip())


def data_uri(kind: str, data: bytes) -> str:
    """Returns a file as an address that holds all of it.

    Args:
        kind: such as `image/gif`.
        data: of the file.
    """
    return f"data:{kind};base64,{b64encode(data).decode()}"


def rendered(template: str, **content: Any) -> bytes:
    """Returns a page; all texts in `content` are escaped.

    Args:
        template: name of a file in the folder of templates.
        content: what the template asks for.
    """
    return _templates().get_template(template).render(**content).encode()


def drawn_fault(path: Path, draw: Callable[[], bytes]) -> str | None:
    """Writes a page; returns None, or one line that says why there is none.

    No fault of a page may cost the run that it is about.

    Args:
        path: of the page.
        draw: returns it.

    Raises:
        StorageError: the disk refused.
    """
    try:
        write_atomically(path, draw())
    except StorageError:
        raise
    except Exception as fault:
        reason = " ".join(str(fault).split()) or "no message"
        return f"the report could not be drawn ({type(fault).__name__}: {reason})"
    return None


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("rltransfer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
