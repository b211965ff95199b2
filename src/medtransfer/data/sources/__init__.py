"""Sources: where the files of a set come from. A module of this package registers one by being imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from medtransfer.study import Data
from medtransfer.util.registry import Registry

Fetch = Callable[[Path, Data, int], dict[str, Any]]
"""(existing empty folder, section `data`, seed) to the entries of the manifest: source, reference, version, licence,
and others of the source. It writes the files of the set to the folder; raises `UserError` if it cannot."""

SOURCES: Registry[Fetch] = Registry("source", package="medtransfer.data.sources")
"""By `data.source`."""
