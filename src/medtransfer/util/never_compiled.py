"""Work without torch's compiler, which nothing here uses and which takes as long to import as torch itself."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any


def never_compiled(*functions: Callable[..., Any]) -> None:
    """Have functions of torch that exclude themselves from compilation not import the compiler to do so.

    `torch._disable_dynamo` keeps the excluded function as an attribute of the original one; the latter serves as well
    where nothing is compiled.
    """
    for function in functions:
        original = unwrap(function)
        setattr(original, "__dynamo_disable", original)
