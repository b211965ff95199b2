"""The lock file has a hash of every package, and torch alone comes without one."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

BY_MACHINE = {"torch", "torchvision"}
"""Their wheels differ by machine; `pyproject.toml` pins their versions."""


def test_every_package_is_pinned_with_hashes(root: Path) -> None:
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.M).strip())
    locked = {}
    for entry in entries:
        found = re.fullmatch(r"([a-z0-9-]+)==(\S+)(?: ; [^\n\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry)
        assert found, entry
        locked[found[1]] = found[2]
    assert BY_MACHINE.isdisjoint(locked)
    stated = {canonicalize_name(need.name): need for need in map(Requirement, requires("medtransfer") or [])}
    needed = stated.keys() - BY_MACHINE - {"medtransfer"}
    assert needed <= locked.keys()
    assert all(locked[name] in stated[name].specifier for name in needed)
    assert all(str(stated[name].specifier).startswith("==") for name in BY_MACHINE)
