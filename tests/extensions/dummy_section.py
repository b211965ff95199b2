"""A section of the report from outside."""

from typing import Any

from medtransfer.report.material import Material
from medtransfer.report.sections import SECTIONS, Section


def content(material: Material) -> dict[str, Any]:
    return {"variants": len(material.found.study.variants)}


SECTIONS.register(
    "outside",
    Section(9_999, "From outside", content, template="<p>{{ content.variants }} variants, counted outside</p>"),
)
