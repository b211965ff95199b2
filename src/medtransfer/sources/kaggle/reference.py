"""What on Kaggle is meant: one version of a data set, or the files of a competition."""

from __future__ import annotations

from dataclasses import dataclass

from medtransfer.study import KaggleSource

SITE = "https://www.kaggle.com"


@dataclass(frozen=True)
class Reference:
    """A data set `owner/name` at a version, or, without owner and version, a competition `name`."""

    owner: str | None
    name: str
    version: int | None

    @classmethod
    def of(cls, source: KaggleSource) -> Reference:
        """Read the reference from the params."""
        if source.competition is not None:
            return cls(None, source.competition, None)
        assert source.dataset is not None
        owner, name = source.dataset.split("/")
        return cls(owner, name, source.version)

    @property
    def path(self) -> str:
        """The name by which Kaggle knows it: `owner/name`, or the competition's."""
        return self.name if self.owner is None else f"{self.owner}/{self.name}"

    @property
    def label(self) -> str:
        """What an error line calls it."""
        return f"competition {self.name}" if self.owner is None else f"{self.path}, version {self.version}"

    @property
    def key(self) -> str:
        """The name of its record: everything that decides which bytes it is."""
        return f"competitions/{self.name}" if self.owner is None else f"datasets/{self.path}/versions/{self.version}"

    @property
    def param(self) -> str:
        """The parameter that names it."""
        return "data.kaggle.competition" if self.owner is None else "data.kaggle.dataset"

    @property
    def page(self) -> str:
        """Its page for people."""
        return f"{SITE}/{self.key}"

    @property
    def file_name(self) -> str:
        """The name of its archive on this machine."""
        return self.key.replace("/", "+") + ".zip"
