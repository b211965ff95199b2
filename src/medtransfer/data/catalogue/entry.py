"""What the catalogue knows of a published set: how it is read, what it holds, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from medtransfer.study.section import Count, Section

UNCHECKED = "unchecked"
"""In place of a source: nothing was found that confirms the fact."""

NOT_OF_AN_ENTRY = {"source", "kaggle", "folder", "phantom", "settings", "image_size", "resize", "leakage", "dataset"}
"""Keys of the section `data` that are not a property of a set."""


class Flaw(Section):
    """Something that is wrong with a set, or that misleads, and where that is documented.

    warns: whether every table made from the set carries it as a warning: `always`, only if the `published` split is
    used, or `never`, because the audit finds and treats it by itself.
    """

    says: str
    source: str
    warns: Literal["always", "published", "never"] = "always"


class Entry(Section):
    """A set of the catalogue.

    reference: `owner/name` of a data set of Kaggle, or the name of a competition. version: the one that is described.
    reading: the keys of the section `data` that read it; without it, the set is listed but not read by this version.
    images, classes: how many images the reading finds, in all and by class (null where the number is not known).
    sources: where each fact is documented, or `unchecked`. flaws: what is known to be wrong with the set.
    """

    reference: str = Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)?$")
    version: Count | None = None
    title: str
    shows: str
    task: str
    reading: dict[str, Any] | None = None
    images: Count | None = None
    classes: Annotated[dict[str, Count | None], Field(min_length=1)]
    licence: str | None = None
    citation: str | None = None
    sources: dict[Literal["version", "reading", "images", "classes", "licence", "citation"], str]
    flaws: list[Flaw] = Field(default_factory=list)

    @model_validator(mode="after")
    def _every_fact_has_a_source(self) -> Entry:
        facts = {name for name in ("version", "reading", "images", "licence", "citation") if getattr(self, name)}
        facts |= {"classes"}
        if missing := facts - self.sources.keys():
            raise ValueError(f"sources: none for {', '.join(sorted(missing))}; write {UNCHECKED} if there is none")
        if idle := self.sources.keys() - facts:
            raise ValueError(f"sources: {', '.join(sorted(idle))}: the entry states no such fact")
        return self

    @model_validator(mode="after")
    def _reading_has_keys_of_a_set(self) -> Entry:
        if wrong := NOT_OF_AN_ENTRY & (self.reading or {}).keys():
            raise ValueError(f"reading: {', '.join(sorted(wrong))} is not a property of the set")
        counts = list(self.classes.values())
        if self.images is not None and None not in counts and sum(filter(None, counts)) != self.images:
            raise ValueError(f"classes: their images add up to {sum(filter(None, counts))}, not to {self.images}")
        return self

    @property
    def competition(self) -> bool:
        """Return whether the set belongs to a competition, whose rules have to be accepted on its page."""
        return "/" not in self.reference

    @property
    def page(self) -> str:
        """The address of the set's page."""
        return f"https://www.kaggle.com/{'competitions' if self.competition else 'datasets'}/{self.reference}"

    @property
    def unchecked(self) -> list[str]:
        """The facts that no source confirms."""
        return sorted(name for name, source in self.sources.items() if source == UNCHECKED)

    def settings(self) -> dict[str, Any]:
        """Return the keys of the section `data` that download and read the set."""
        kaggle: dict[str, Any] | None = {"dataset": self.reference, "version": self.version}
        if self.competition:
            kaggle = {"competition": self.reference}
        elif self.version is None:
            kaggle = None
        return {"dataset": self.reference, "source": "kaggle", "kaggle": kaggle} | (self.reading or {})

    def warnings(self, published: bool) -> Iterator[str]:
        """Yield the flaws that every table has to name; `published` says whether the published split is used."""
        for flaw in self.flaws:
            if flaw.warns == "always" or (flaw.warns == "published" and published):
                yield f"KNOWN FLAW of {self.reference}: {flaw.says} ({flaw.source})"
