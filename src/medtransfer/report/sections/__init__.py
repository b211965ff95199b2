"""The sections of the page: one module each, which registers its section when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medtransfer.util.registry import Registry

if TYPE_CHECKING:
    from medtransfer.report.material import Material


@dataclass(frozen=True)
class Section:
    """A section of the page; the name it is registered under is its anchor.

    order: sections are shown in ascending order. content: computes the variable `content` of the template. shown: the
    table of `Comparison` without whose rows there is nothing to show, or whether there is something; by default there
    is. template: Jinja source; by default the file NAME.html of this package.
    """

    order: int
    title: str
    content: Callable[[Material], dict[str, Any]]
    shown: str | Callable[[Material], bool] = lambda _: True
    template: str = ""

    def applies(self, material: Material) -> bool:
        """Return whether the comparison has something to show."""
        if isinstance(self.shown, str):
            return not getattr(material.found, self.shown).empty
        return self.shown(material)


SECTIONS: Registry[Section] = Registry("report section", package="medtransfer.report.sections")
