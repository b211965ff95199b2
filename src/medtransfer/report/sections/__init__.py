"""The sections of the page: one module each, which registers its section when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medtransfer.util.registry import Registry

if TYPE_CHECKING:
    from medtransfer.report.material import Material


def always(_: Material) -> bool:
    """Return True: the section applies to every comparison."""
    return True


@dataclass(frozen=True)
class Section:
    """A section of the page; the name it is registered under is its anchor.

    order: sections are shown in ascending order. content: computes the variable `content` of the template. applies:
    whether the comparison has something to show. template: Jinja source; by default the file NAME.html of this package.
    """

    order: int
    title: str
    content: Callable[[Material], dict[str, Any]]
    applies: Callable[[Material], bool] = always
    template: str = ""


SECTIONS: Registry[Section] = Registry("report section", package="medtransfer.report.sections")
