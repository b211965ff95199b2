"""Group keys that file names suggest: copies that an export made, and patients. Proposed, never used unasked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COPIES = {
    "augmented copies": r"^(.+?)_aug_?\d+",
    "copies of a Roboflow export": r"^(.+?)\.rf\.[0-9a-f]{8,}",
    "numbered copies": r"^(.+?)(?: ?\(\d+\)| - copy(?: ?\(\d+\))?)?\.\w+$",
}
PATIENTS = {
    "patients": r"(?i)((?:patient|person|subject|pat|subj|case)[-_ ]?\d+)",
    "images of a numbered series": r"^((?:[A-Z0-9]+-)?IM-\d+)",
}


@dataclass(frozen=True)
class Proposal:
    """A pattern for `data.group`, what its groups seem to be, and how many of how many names it covers."""

    what: str
    pattern: str
    groups: int
    matched: int
    names: int

    def sentence(self) -> str:
        """Say what the names look like, and which parameter would make use of it."""
        share = "all" if self.matched == self.names else f"{self.matched} of {self.names}"
        return (
            f"{share} file names look like {self.what}, {self.groups} in number; if they are, "
            f"set data.group: {{pattern: '{self.pattern}'}}"
        )


def propose_groups(paths: Sequence[str]) -> list[Proposal]:
    """Give the patterns whose key at least two names share, and that cover a fifth of the names or more."""
    names = [path.rsplit("/", 1)[-1] for path in paths]
    proposals = []
    for what, pattern in (COPIES | PATIENTS).items():
        found = [match.group(1) for match in map(re.compile(pattern).search, names) if match]
        groups = len(set(found))
        if len(found) >= len(names) / 5 and groups < len(found) and groups > 1:
            proposals.append(Proposal(what, pattern, groups, len(found), len(names)))
    return proposals
