"""Puts the sections together to one file of HTML that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medtransfer.comparison.results import Comparison
from medtransfer.report.audit import audit_section
from medtransfer.report.calibration import calibration_section
from medtransfer.report.checklists import checklist_section
from medtransfer.report.cost import cost_section
from medtransfer.report.curves import curves_section
from medtransfer.report.factors import factors_section
from medtransfer.report.images import wrong_section
from medtransfer.report.intervals import write_interval_figure
from medtransfer.report.learning import learning_section
from medtransfer.report.maps import maps_section
from medtransfer.report.mask_gallery import masks_section
from medtransfer.report.mask_images import hard_masks_section
from medtransfer.report.operating import operating_section
from medtransfer.report.origin import origin_section
from medtransfer.report.pairs import pairs_section
from medtransfer.report.per_class import per_class_section
from medtransfer.report.section import Material, Section
from medtransfer.report.svg import THEME
from medtransfer.report.table import comparison_section
from medtransfer.report.verdict import verdict_text
from medtransfer.report.wording import breakable, counted
from medtransfer.util.files import write_text
from medtransfer.util.places import Places
from medtransfer.util.plotting import MARKERS

SECTIONS: tuple[Callable[[Material], Section | None], ...] = (
    comparison_section,
    cost_section,
    factors_section,
    pairs_section,
    per_class_section,
    curves_section,
    calibration_section,
    operating_section,
    masks_section,
    learning_section,
    wrong_section,
    hard_masks_section,
    maps_section,
    audit_section,
    origin_section,
    checklist_section,
)
"""In the order of the page. A section whose tables are empty, as in another task, gives None."""

GLYPHS = dict(zip(MARKERS, "●■◆▲▼✚★✖", strict=True))
"""The markers of figures as letters."""


def write_report(found: Comparison, places: Places) -> None:
    """Write `report/index.html`, and its figures as PNG below `plots/`."""
    material = Material(found, places)
    write_interval_figure(material)
    sections = [section for build in SECTIONS if (section := build(material)) is not None]
    write_text(places.root / "report" / "index.html", render(found, sections, material))


def render(found: Comparison, sections: list[Section], material: Material) -> str:
    """Give the page as text. Everything that comes from the study is escaped."""
    environment = Environment(
        loader=PackageLoader("medtransfer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"theme": lambda colour: THEME[colour.lower()], "glyph": GLYPHS.get, "breakable": breakable}
    assets = files("medtransfer.report") / "assets"
    return environment.get_template("page.html").render(
        title=found.study.params.study.title,
        facts=_facts(found, material),
        verdict=verdict_text(found.verdict, material.unit),
        warnings=[_warning(text) for text in found.warnings],
        sections=sections,
        names={section.name: section.title for section in sections},
        looks=material.looks,
        style=Markup((assets / "page.css").read_text(encoding="utf-8")),
        script=Markup((assets / "page.js").read_text(encoding="utf-8")),
        data=_as_script({"variants": len(material.names)} | material.script),
    )


def _facts(found: Comparison, material: Material) -> str:
    test = found.test
    unit = f" in {counted(test['groups'], 'group')}" if test["groups"] < test["images"] else ""
    classes = [f"{len(found.classes)} classes"] if found.classes else []
    parts = [
        str(found.study.params.study.task),
        *classes,
        f"{counted(test['images'], 'test image')}{unit}",
        counted(len(material.names), "variant"),
    ]
    return " · ".join(parts)


def _warning(text: str) -> tuple[str, str]:
    """Split `KIND: what it means` into both; a warning without a kind has an empty one."""
    kind, colon, meaning = text.partition(": ")
    return (kind, meaning) if colon and kind.isupper() else ("", text)


def _as_script(value: Any) -> Markup:
    """Give JSON that may stand in a script element: no `<` of it can end the element."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))
