"""The meaning of each failure of a request: a reason to wait and retry, or one line that says what to do."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass

import requests
from urllib3 import exceptions as urllib3_exceptions

from medtransfer.data.sources.kaggle import client as kaggle_client
from medtransfer.data.sources.kaggle.client import Client
from medtransfer.data.sources.kaggle.reference import SITE, Reference, known_names, newest_version
from medtransfer.util.errors import UserError, near

LONGEST_WAIT = 300.0
"""The longest Retry-After, in seconds, that is waited for."""
ATTEMPTS = 5
ATTEMPTS_WITHOUT_NETWORK = 2
RESUMES = "the download resumes where it stopped"
OTHER_WAYS = "or unpack the set yourself and set data.source: folder, or try data.source: phantom, which needs nothing"
NEVER_CONNECTED = (
    urllib3_exceptions.NewConnectionError,
    urllib3_exceptions.ConnectTimeoutError,
    urllib3_exceptions.ProxyError,
)


@dataclass(frozen=True)
class Trouble:
    """A failure that may pass: the error line of the last attempt, how many to make, and the requested wait if any."""

    line: str
    attempts: int = ATTEMPTS
    wait: float | None = None


def understand(error: requests.RequestException, reference: Reference, client: Client) -> Trouble:
    """Return a failure that may pass; raise `UserError` for one that will not."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _answered(error, error.response, reference, client)
    if isinstance(error, requests.exceptions.SSLError):
        raise UserError(
            "data.kaggle: the secure connection to Kaggle was refused; if a proxy has its own certificate, set "
            f"REQUESTS_CA_BUNDLE to that certificate; {OTHER_WAYS}"
        ) from None
    if isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        return _broken(error, reference)
    raise UserError(
        f"data.kaggle: Kaggle's response for {reference.label} cannot be read ({type(error).__name__}); "
        f"run again later, {OTHER_WAYS}"
    ) from None


def _broken(error: requests.RequestException, reference: Reference) -> Trouble:
    reason = getattr(error.args[0], "reason", error.args[0]) if error.args else None
    no_network = isinstance(error, requests.exceptions.ProxyError | requests.ConnectTimeout)
    if no_network or isinstance(reason, NEVER_CONNECTED):
        line = f"data.kaggle: Kaggle cannot be reached; check the network connection and run again, {OTHER_WAYS}"
        return Trouble(line, ATTEMPTS_WITHOUT_NETWORK)
    if isinstance(error, requests.Timeout) or isinstance(reason, urllib3_exceptions.ReadTimeoutError):
        timeout = f"{kaggle_client.TIMEOUT:g} s"
        return Trouble(
            f"data.kaggle: Kaggle did not respond for {reference.label} within {timeout}; run again later: {RESUMES}"
        )
    return Trouble(f"data.kaggle: the download of {reference.label} was cut off; run again: {RESUMES}")


def _answered(error: requests.HTTPError, response: requests.Response, reference: Reference, client: Client) -> Trouble:
    status = _status(response)
    if status == 429:
        return _throttled(response)
    if status >= 500 or status == 408:
        return Trouble(f"data.kaggle: Kaggle is unavailable ({status}); run again later: {RESUMES}")
    if status == 401:
        raise UserError(_no_account(reference, client)) from None
    if status == 403:
        raise UserError(_forbidden(reference, client)) from None
    if status == 404:
        raise UserError(_not_found(reference, client)) from None
    message = client.without_secrets(str(error.args[0]) if response.ok else response.reason or "")
    raise UserError(
        f"data.kaggle: Kaggle refused {reference.label} ({status}: {message}); see {reference.page}, {OTHER_WAYS}"
    ) from None


def _status(response: requests.Response) -> int:
    """Return the status; the client also raises for an error that comes as JSON under status 200."""
    try:
        return int(response.json()["code"]) if response.ok else response.status_code
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return response.status_code


def _throttled(response: requests.Response) -> Trouble:
    throttles = "data.kaggle: Kaggle throttles this machine (429)"
    wait = _retry_after(response.headers.get("Retry-After"))
    if wait is not None and wait > LONGEST_WAIT:
        raise UserError(f"{throttles} and asks to wait {wait:.0f} s; run again after that") from None
    return Trouble(f"{throttles} and continues to do so; run again in a few minutes", wait=wait)


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
        return f"data.kaggle: Kaggle does not accept the token or key (401); create a new one {how}"
    return f"data.kaggle: {reference.label} requires a Kaggle account (401); create a token {how}"


def _forbidden(reference: Reference, client: Client) -> str:
    account = "the account of the token" if client.signed_in else "an account, and set KAGGLE_API_TOKEN to its token"
    if reference.owner is None:
        return (
            f"data.kaggle: the rules of {reference.label} are not accepted (403); accept them at "
            f"{reference.page}/rules with {account}, and run again"
        )
    # Kaggle also answers 403 for a set that does not exist, so as not to reveal what is private.
    return (
        f"data.kaggle: {reference.label} is private, or asks for consent, or is misspelt (403); open {reference.page} "
        f"with {account}, and run again{_nearest(reference, client)}"
    )


def _not_found(reference: Reference, client: Client) -> str:
    if reference.owner is None:
        where = f"data.kaggle.competition: Kaggle has no competition {reference.path!r}"
    elif newest := newest_version(client, reference):
        versions = "version 1" if newest == 1 else f"versions 1 to {newest}"
        return f"data.kaggle.version: {reference.path} has no version {reference.version} (404); it has {versions}"
    else:
        where = f"data.kaggle.dataset: Kaggle has no set {reference.path!r}"
    return f"{where} (404){_nearest(reference, client)}; copy the name from the address of its page"


def _nearest(reference: Reference, client: Client) -> str:
    names = {name for name in known_names(client, reference) if name != reference.path}
    return near(reference.path, [client.without_secrets(name) for name in names]) if names else ""
