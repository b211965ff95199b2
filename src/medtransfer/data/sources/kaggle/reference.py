"""References to Kaggle, a version of a data set or the files of a competition, and what Kaggle says about them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import requests

from medtransfer.data.sources.kaggle.client import Client
from medtransfer.study import KaggleSource

SITE = "https://www.kaggle.com"
UNIMPORTANT = (requests.RequestException, ValueError, KeyError, TypeError, AttributeError)
"""Errors of requests on which nothing depends, and of reading unexpected answers to them."""


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
        """The name by which Kaggle knows it: `owner/name`, or that of the competition."""
        return self.name if self.owner is None else f"{self.owner}/{self.name}"

    @property
    def label(self) -> str:
        """Its name in an error line."""
        return f"competition {self.name}" if self.owner is None else f"{self.path}, version {self.version}"

    @property
    def key(self) -> str:
        """The name of its record: all that identifies its bytes."""
        return f"competitions/{self.name}" if self.owner is None else f"datasets/{self.path}/versions/{self.version}"

    @property
    def page(self) -> str:
        """Its page for people."""
        return f"{SITE}/{self.key}"

    @property
    def file_name(self) -> str:
        """The name of its archive on this machine."""
        return self.key.replace("/", "+") + ".zip"


def open_archive(client: Client, reference: Reference) -> requests.Response:
    """Request the archive; return the answer before its body is read."""
    if reference.owner is None:
        return client.call("competition", "download_data_files", competition_name=reference.name)
    version = {"dataset_version_number": reference.version}
    return client.call("dataset", "download_dataset", **_slugs(reference), **version)


def described(client: Client, reference: Reference) -> dict[str, str | None] | None:
    """Return licence and citation as Kaggle states them, or None if it does not answer."""
    with suppress(*UNIMPORTANT):
        return _competition(client, reference) if reference.owner is None else _dataset(client, reference)
    return None


def known_names(client: Client, reference: Reference) -> list[str]:
    """List similar names on Kaggle, as far as it answers."""
    with suppress(*UNIMPORTANT):
        if reference.owner is None:
            found = client.call("competition", "list_competitions", search=reference.name).competitions
            # `ref` is the address of the competition.
            return [competition.ref.rstrip("/").rpartition("/")[2] for competition in found or [] if competition]
        lists = [
            client.call("dataset", "list_datasets", **field).datasets
            for field in ({"user": reference.owner}, {"search": reference.name})
        ]
        return [dataset.ref for found in lists for dataset in found or [] if dataset]
    return []


def newest_version(client: Client, reference: Reference) -> int | None:
    """Return the number of the newest version of a data set, or None if Kaggle knows no such set."""
    with suppress(*UNIMPORTANT):
        return client.call("dataset", "get_dataset", **_slugs(reference)).current_version_number or None
    return None


def _slugs(reference: Reference) -> dict[str, str | None]:
    return {"owner_slug": reference.owner, "dataset_slug": reference.name}


def _dataset(client: Client, reference: Reference) -> dict[str, str | None]:
    about = client.call("dataset", "get_dataset", **_slugs(reference))
    licences, sources = [about.license_name], ""
    with suppress(*UNIMPORTANT):
        stated = client.call("dataset", "get_dataset_metadata", **_slugs(reference)).info
        sources = " ".join((stated.user_specified_sources or "").split())
        licences = [licence.name for licence in stated.licenses or []] or licences
    author = about.owner_name or about.creator_name or reference.owner
    citation = f"{author}. {about.title or reference.name} (version {reference.version}). Kaggle. {reference.page}"
    return {
        "licence": ", ".join(filter(None, licences)) or None,
        "citation": f"{citation}. Sources: {sources}" if sources else citation,
    }


def _competition(client: Client, reference: Reference) -> dict[str, str | None]:
    about = client.call("competition", "get_competition", competition_name=reference.name)
    host = about.organization_name or about.host_name or "Kaggle"
    return {
        "licence": f"the competition's rules: {reference.page}/rules",
        "citation": f"{host}. {about.title or reference.name}. Kaggle competition. {reference.page}",
    }
