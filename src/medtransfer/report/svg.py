"""Matplotlib figures as inline SVG: small, and in the colours of the page's theme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib.figure import Figure

from medtransfer.util.plotting import COLOURS, GRID, INK, MUTED, PAPER

THEME = {
    **{colour.lower(): f"var(--series-{number})" for number, colour in enumerate(COLOURS)},
    INK.lower(): "var(--ink)",
    MUTED.lower(): "var(--muted)",
    GRID.lower(): "var(--grid)",
    PAPER.lower(): "var(--paper)",
}
"""The colours of figures, and the variables of the page's style sheet that replace them."""

KEPT_TEXT_STYLES = ("font-size", "font-weight", "font-style", "text-anchor", "fill", "opacity")
TIP = "tip:"
NAMESPACE = re.compile(r"\{.*\}")
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
COLOUR = re.compile(r"#[0-9a-f]{6}")
INVISIBLE, UPRIGHT = "fill:none", "rotate(-0 "
REFERENCE = re.compile(r"url\(#(.+?)\)|^#(.+)$")


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as an `<svg>` element for HTML.

    name: the figure's name, unique on its page, which prefixes all its ids. description: the text for screen readers.
    An artist with a gid of `tip` has a tooltip. Colours of `THEME` become those of the page, as does the font.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.iter():
        element.tag = NAMESPACE.sub("", str(element.tag))
        element.text, element.tail = (text if (text or "").strip() else None for text in (element.text, element.tail))
    known = set(_references(root))
    for element in root.iter():
        _tidy(element, name, known)
    _unwrap(root)
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    root.attrib = {
        "class": "figure",
        "role": "img",
        "aria-label": description,
        "viewBox": root.attrib["viewBox"],
        "width": f"{width * 4 / 3:.0f}",
        "height": f"{height * 4 / 3:.0f}",
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def tip(text: str) -> str:
    """Return the gid of an artist with the tooltip `text`."""
    return TIP + text


def _references(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for value in element.attrib.values():
            found = REFERENCE.search(value)
            if found:
                yield found[1] or found[2]


def _tidy(element: ElementTree.Element, name: str, known: set[str]) -> None:
    """Shorten an element's attributes, and replace colours and ids by those of the page."""
    attributes = {NAMESPACE.sub("", key): " ".join(value.split()) for key, value in element.attrib.items()}
    gid = attributes.pop("id", "")
    if gid in known:
        attributes["id"] = f"{name}-{gid}"
    elif gid.startswith(TIP):
        title = ElementTree.Element("title")
        title.text = gid.removeprefix(TIP)
        element.insert(0, title)
    if attributes.get("transform", "").startswith(UPRIGHT):
        del attributes["transform"]
    for key, value in attributes.items():
        if key == "style":
            attributes[key] = _themed(value, element.tag == "text")
        elif key == "href" and not value.startswith("#"):
            attributes[key] = value.replace(" ", "")
        elif key != "id":
            attributes[key] = NUMBER.sub(_rounded, value)
            attributes[key] = REFERENCE.sub(lambda found: _renamed(found, name), attributes[key])
    element.attrib = attributes


def _themed(style: str, is_text: bool) -> str:
    pairs = [part.partition(":") for part in style.split(";")]
    kept = [
        f"{key.strip()}:{COLOUR.sub(lambda found: THEME.get(found[0], found[0]), value.strip())}"
        for key, _, value in pairs
        if not is_text or key.strip() in KEPT_TEXT_STYLES
    ]
    return ";".join(kept)


def _renamed(found: re.Match[str], name: str) -> str:
    return f"url(#{name}-{found[1]})" if found[1] else f"#{name}-{found[2]}"


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _unwrap(parent: ElementTree.Element) -> None:
    """Remove invisible elements, and replace groups without attributes by their children."""
    children: list[ElementTree.Element] = []
    for child in parent:
        if child.tag in ("metadata", "style") or child.attrib.get("style") == INVISIBLE:
            continue
        _unwrap(child)
        plain = child.tag == "g" and not child.attrib and child.find("title") is None
        children += list(child) if plain else [child]
    parent[:] = children
