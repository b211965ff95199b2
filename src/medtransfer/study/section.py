"""What every section of `params.yaml` is made of: its base class, and types with a range."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A part of `params.yaml`: closed to unknown keys and never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def kind_alone(value: Any) -> Any:
    """Read a word as a section that has nothing but its `kind`."""
    return {"kind": value} if isinstance(value, str) else value


WORD, OTHER = "<word>", "<other>"
"""The branches of a value that is a word or something else; an error line leaves them out."""


def word_or_other(value: Any) -> str:
    """Tell a word from anything else, as the branch of a union."""
    return WORD if isinstance(value, str) else OTHER
