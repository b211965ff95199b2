"""What Kaggle says about a set: licence, citation, versions, similar names.

No download depends on the answers: whatever goes wrong in asking is passed over.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import requests

from medtransfer.sources.kaggle.client import Client
from medtransfer.sources.kaggle.reference import Reference

UNIMPORTANT = (requests.RequestException, ValueError, KeyError, TypeError, AttributeError)
"""What asking can end in, the client's reading of an unexpected answer included."""


def described(client: Client, reference: Reference) -> dict[str, str | None] | None:
    """Give licence and citation as Kaggle states them, or None where it does not answer."""
    with suppress(*UNIMPORTANT):
        return _described_competition(client, reference) if reference.owner is None else _described(client, reference)
    return None


def known_names(client: Client, reference: Reference) -> list[str]:
    """List what Kaggle has under names like this one, as far as it says so."""
    with suppress(*UNIMPORTANT):
        if reference.owner is None:
            return _known_competitions(client, reference)
        from kagglesdk.datasets.types.dataset_api_service import ApiListDatasetsRequest

        names: list[str] = []
        for field, value in (("user", reference.owner), ("search", reference.name)):
            request = ApiListDatasetsRequest()
            setattr(request, field, value)
            found = client.api.datasets.dataset_api_client.list_datasets(request).datasets
            names += [dataset.ref for dataset in found or [] if dataset]
        return names
    return []


def newest_version(client: Client, reference: Reference) -> int | None:
    """Give the number of the set's newest version, or None where Kaggle knows no such set."""
    with suppress(*UNIMPORTANT):
        return _dataset(client, reference).current_version_number or None
    return None


def _described(client: Client, reference: Reference) -> dict[str, str | None]:
    about = _dataset(client, reference)
    licences, sources = [about.license_name], ""
    with suppress(*UNIMPORTANT):
        stated = _metadata(client, reference)
        sources = " ".join((stated.user_specified_sources or "").split())
        licences = [licence.name for licence in stated.licenses or []] or licences
    author = about.owner_name or about.creator_name or reference.owner
    citation = f"{author}. {about.title or reference.name} (version {reference.version}). Kaggle. {reference.page}"
    return {
        "licence": ", ".join(filter(None, licences)) or None,
        "citation": f"{citation}. Sources: {sources}" if sources else citation,
    }


def _dataset(client: Client, reference: Reference) -> Any:
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

    request = ApiGetDatasetRequest()
    request.owner_slug, request.dataset_slug = reference.owner, reference.name
    return client.api.datasets.dataset_api_client.get_dataset(request)


def _metadata(client: Client, reference: Reference) -> Any:
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetMetadataRequest

    request = ApiGetDatasetMetadataRequest()
    request.owner_slug, request.dataset_slug = reference.owner, reference.name
    return client.api.datasets.dataset_api_client.get_dataset_metadata(request).info


def _described_competition(client: Client, reference: Reference) -> dict[str, str | None]:
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    request = ApiGetCompetitionRequest()
    request.competition_name = reference.name
    about = client.api.competitions.competition_api_client.get_competition(request)
    host = about.organization_name or about.host_name or "Kaggle"
    return {
        "licence": f"the competition's rules: {reference.page}/rules",
        "citation": f"{host}. {about.title or reference.name}. Kaggle competition. {reference.page}",
    }


def _known_competitions(client: Client, reference: Reference) -> list[str]:
    from kagglesdk.competitions.types.competition_api_service import ApiListCompetitionsRequest

    request = ApiListCompetitionsRequest()
    request.search = reference.name
    found = client.api.competitions.competition_api_client.list_competitions(request).competitions
    # `ref` is the competition's address.
    return [competition.ref.rstrip("/").rpartition("/")[2] for competition in found or [] if competition]
