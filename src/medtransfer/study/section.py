"""The base class of all sections of `params.yaml`, and types with a range."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]


def _each_once(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError(f"expected each once, but got {values}")
    return values


EACH_ONCE = AfterValidator(_each_once)
"""Refuses lists with repetitions."""


def _within_set(path: str) -> str:
    if leaves_folder(PurePosixPath(path)):
        raise ValueError(f"expected a path within the set, but got {path}")
    return path


PathInSet = Annotated[str, AfterValidator(_within_set)]


class Section(BaseModel):
    """A part of `params.yaml`: without unknown keys, and never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class OpenSection(Section):
    """A section whose further keys are options of a registered choice that it names; `check` checks them."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


def word_as(key: str) -> BeforeValidator:
    """Return a validator that reads a word as a section with nothing but this key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


KIND_ALONE = word_as("kind")

WORD, OTHER = "<word>", "<other>"
"""The branches of a value that is a word or something else; error lines leave them out."""


def word_or_other(value: Any) -> str:
    """Return the branch of a value."""
    return WORD if isinstance(value, str) else OTHER


def leaves_folder(path: PurePosixPath) -> bool:
    """Return whether a path may lead out of the folder that it is relative to."""
    return path.is_absolute() or ".." in path.parts
