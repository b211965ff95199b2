"""What Kaggle says about a set: licence, citation, versions, similar names; What each failure of a request means: wait and try again, or one line that says what to do."""

from __future__ import annotations

import email.utils
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from urllib3 import exceptions as urllib3_exceptions

from medtransfer.data.sources.kaggle import client as kaggle_client
from medtransfer.data.sources.kaggle.client import SITE, Client, Reference
from medtransfer.util.errors import UserError, near

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


LONGEST_WAIT = 300.0
"""The longest Retry-After, in seconds, that is waited for."""
ATTEMPTS = 5
ATTEMPTS_WITHOUT_NETWORK = 2
OTHER_WAYS = "or unpack the set yourself and set data.source: folder, or try data.source: phantom, which needs nothing"
NEVER_CONNECTED = (
    urllib3_exceptions.NewConnectionError,
    urllib3_exceptions.ConnectTimeoutError,
    urllib3_exceptions.ProxyError,
)


@dataclass(frozen=True)
class Trouble:
    """A failure that may pass: what the last attempt says, how many to make, and the wait asked for if any."""

    line: str
    attempts: int = ATTEMPTS
    wait: float | None = None


def understand(error: requests.RequestException, reference: Reference, client: Client) -> Trouble:
    """Give the trouble that may pass; raise `UserError` for what will not."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _answered(error, error.response, reference, client)
    if isinstance(error, requests.exceptions.SSLError):
        raise UserError(
            "data.kaggle: the secure connection to Kaggle was refused; a proxy with a certificate of its own needs "
            f"REQUESTS_CA_BUNDLE to name that certificate; {OTHER_WAYS}"
        ) from None
    if isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        return _broken(error, reference)
    raise UserError(
        f"data.kaggle: Kaggle's answer about {reference.label} cannot be read ({type(error).__name__}); "
        f"run again later, {OTHER_WAYS}"
    ) from None


def _broken(error: requests.RequestException, reference: Reference) -> Trouble:
    reason = getattr(error.args[0], "reason", error.args[0]) if error.args else None
    if isinstance(error, requests.exceptions.ProxyError | requests.ConnectTimeout) or isinstance(
        reason, NEVER_CONNECTED
    ):
        line = f"data.kaggle: Kaggle cannot be reached; connect this machine and run again, {OTHER_WAYS}"
        return Trouble(line, ATTEMPTS_WITHOUT_NETWORK)
    if isinstance(error, requests.Timeout) or isinstance(reason, urllib3_exceptions.ReadTimeoutError):
        return Trouble(
            f"data.kaggle: Kaggle did not answer within {kaggle_client.TIMEOUT:g} s; run again later: the download of "
            f"{reference.label} goes on where it stopped"
        )
    return Trouble(
        f"data.kaggle: the download of {reference.label} was cut off; run again: it goes on where it stopped"
    )


def _answered(error: requests.HTTPError, response: requests.Response, reference: Reference, client: Client) -> Trouble:
    status = _status(response)
    if status == 429:
        return _throttled(response)
    if status >= 500 or status == 408:
        return Trouble(
            f"data.kaggle: Kaggle is out of order ({status}); run again later: the download goes on where it stopped"
        )
    if status == 401:
        raise UserError(_no_account(reference, client)) from None
    if status == 403:
        raise UserError(_forbidden(reference, client)) from None
    if status == 404:
        raise UserError(_not_found(reference, client)) from None
    message = client.without_secrets(str(error.args[0]) if response.ok else response.reason or "")
    raise UserError(
        f"data.kaggle: Kaggle refused {reference.label} ({status}: {message}); look at {reference.page}, {OTHER_WAYS}"
    ) from None


def _status(response: requests.Response) -> int:
    """Give the answer's status; the client takes an error that comes as JSON under status 200 for one too."""
    if not response.ok:
        return response.status_code
    try:
        return int(response.json()["code"])
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return response.status_code


def _throttled(response: requests.Response) -> Trouble:
    wait = _retry_after(response.headers.get("Retry-After"))
    if wait is not None and wait > LONGEST_WAIT:
        raise UserError(
            f"data.kaggle: Kaggle throttles this machine (429) and asks to wait {wait:.0f} s; run again after that"
        ) from None
    return Trouble(
        "data.kaggle: Kaggle throttles this machine (429) and goes on doing so; run again in some minutes", wait=wait
    )


def _retry_after(value: str | None) -> float | None:
    """Read the header: seconds, or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _no_account(reference: Reference, client: Client) -> str:
    how = f"at {SITE}/settings/api and set KAGGLE_API_TOKEN to it, or run `kaggle auth login`"
    if client.signed_in:
        return f"data.kaggle: Kaggle does not accept the token or key (401); make a new one {how}"
    return f"data.kaggle: Kaggle gives {reference.label} to accounts only (401); make a token {how}"


def _forbidden(reference: Reference, client: Client) -> str:
    account = "the token's account" if client.signed_in else "an account, whose token KAGGLE_API_TOKEN then names"
    if reference.owner is None:
        return (
            f"data.kaggle: the rules of {reference.label} are not accepted (403); accept them at "
            f"{reference.page}/rules with {account}, and run again"
        )
    # Kaggle answers 403 for a set that does not exist as well, so as not to tell what is private.
    return (
        f"data.kaggle: {reference.label} is private, or asks for consent, or is misspelt (403); open {reference.page} "
        f"with {account}, and run again{_near(reference, client)}"
    )


def _not_found(reference: Reference, client: Client) -> str:
    newest = newest_version(client, reference) if reference.owner is not None else None
    if newest is not None:
        versions = "version 1" if newest == 1 else f"versions 1 to {newest}"
        return f"data.kaggle.version: {reference.path} has no version {reference.version} (404); it has {versions}"
    what = "competition" if reference.owner is None else "set"
    return (
        f"{reference.param}: Kaggle has no {what} {reference.path!r} (404){_near(reference, client)}; "
        f"copy the name from its page's address"
    )


def _near(reference: Reference, client: Client) -> str:
    names = {name for name in known_names(client, reference) if name != reference.path}
    return near(reference.path, [client.without_secrets(name) for name in names]) if names else ""
