"""The page: one HTML file that needs no other file."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medtransfer.comparison.results import Comparison, Verdict
from medtransfer.data.targets import TARGETS
from medtransfer.report.material import Material
from medtransfer.report.methods import write_methods
from medtransfer.report.sections import SECTIONS
from medtransfer.report.svg import THEME
from medtransfer.report.wording import SPACE, breakable, in_interval, p_value
from medtransfer.statistics.metrics import phrase_of
from medtransfer.tasks import TASKS
from medtransfer.util.files import write_text
from medtransfer.util.places import Places
from medtransfer.util.plotting import MARKERS
from medtransfer.util.text import counted, listed, typeset

ASSETS = files("medtransfer.report") / "assets"
GLYPHS = dict(zip(MARKERS, "●■◆▲▼✚★✖", strict=True))
"""The markers of figures as characters."""

MOST_NAMED = 4


def write_report(found: Comparison, places: Places) -> None:
    """Write `report/index.html`, `report/methods.md`, and the page's figures as PNG to `plots/`."""
    material = Material(found, places)
    write_text(places.report / "index.html", render(material))
    write_methods(material)


def render(material: Material) -> str:
    """Return the page. All texts of the study are escaped."""
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("medtransfer.report", "assets"), PackageLoader("medtransfer.report", "sections")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "theme": lambda colour: THEME[colour.lower()],
        "glyph": GLYPHS.get,
        "breakable": breakable,
        "counted": counted,
    }
    shown = sorted((item for item in SECTIONS.items() if item[1].applies(material)), key=lambda item: item[1].order)
    titles = {name: section.title for name, section in shown}
    bodies = {}
    for name, section in shown:
        source = section.template
        template = environment.from_string(source) if source else environment.get_template(f"{name}.html")
        content = section.content(material)
        bodies[name] = Markup(template.render(content=content, titles=titles, looks=material.looks))
    return environment.get_template("page.html").render(
        title=material.found.study.params.study.title,
        facts=_facts(material),
        verdict=verdict_text(material.found.verdict, material.unit),
        warnings=[_warning(text) for text in material.found.warnings],
        titles=titles,
        bodies=bodies,
        style=Markup((ASSETS / "page.css").read_text(encoding="utf-8")),
        script=Markup((ASSETS / "page.js").read_text(encoding="utf-8")),
        data=_as_script({"variants": len(material.names)} | material.script),
    )


def verdict_text(verdict: Verdict, unit: str = "") -> Markup:
    """Return, as HTML, which variant is best, which are tied with it and which are worse; `unit` is that of lengths."""
    best = Markup("<b>{}</b> {}: {} {} {}").format(
        verdict.best,
        "is best" if verdict.tied or verdict.worse else "is the only variant",
        phrase_of(verdict.metric, unit),
        typeset(verdict.value),
        in_interval(verdict.low, verdict.high),
    )
    tied = f"; {_tied(verdict.tied)} tied with it. " if verdict.tied else ". "
    return best + tied + " ".join(part for part in (_worse(verdict), _recommended(verdict)) if part)


def _recommended(verdict: Verdict) -> str:
    if not verdict.recommended or verdict.margin is None:
        return ""
    margin = typeset(verdict.margin)
    if not verdict.not_inferior:
        return f"No other variant is shown to be less than {margin} worse than the best."
    told = "" if verdict.recommended == verdict.best else f"; recommended: {verdict.recommended}, the cheapest"
    return f"Not inferior by a margin of {margin}: {listed(_some(verdict.not_inferior))}{told}."


def _tied(names: tuple[str, ...]) -> str:
    return f"{listed(_some(names))} {'is' if len(names) == 1 else 'are'}"


def _some(names: tuple[str, ...]) -> list[str]:
    return [*names] if len(names) <= MOST_NAMED + 1 else [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} others"]


def _worse(verdict: Verdict) -> str:
    if not verdict.worse:
        return ""
    if len(verdict.worse) <= MOST_NAMED:
        parts = listed([f"{name} (p{SPACE}{p_value(p)})" for name, p in verdict.worse.items()])
        return (
            f"{parts} {'is' if len(verdict.worse) == 1 else 'are'} significantly worse, corrected for all comparisons."
        )
    largest = p_value(max(verdict.worse.values())).replace("=", "≤")
    worse = counted(len(verdict.worse), "variant")
    return f"The other {worse} are significantly worse (each p{SPACE}{largest}, corrected for all comparisons)."


def _facts(material: Material) -> str:
    found, test = material.found, material.found.test
    target = TARGETS[TASKS[found.study.params.study.task].target]
    groups = f" in {counted(test['groups'], 'group')}" if test["groups"] < test["images"] else ""
    parts = [
        str(found.study.params.study.task),
        *([f"{len(found.classes)} {target.listed_as}"] if found.classes else []),
        f"{counted(test['images'], 'test image')}{groups}",
        counted(len(material.names), "variant"),
    ]
    return " · ".join(parts)


def _warning(text: str) -> tuple[str, str]:
    """Split `KIND: meaning`; the kind is empty if the warning has none."""
    kind, colon, meaning = text.partition(": ")
    return (kind, meaning) if colon and kind.isupper() else ("", text)


def _as_script(value: Any) -> Markup:
    """Return JSON for a script element; without any `<`, it cannot end the element."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))
