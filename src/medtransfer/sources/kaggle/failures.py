"""What each failure of a request means: wait and try again, or one line that says what to do."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass

import requests
from urllib3 import exceptions as urllib3_exceptions

from medtransfer.errors import UserError
from medtransfer.sources.kaggle import client as kaggle_client
from medtransfer.sources.kaggle.client import Client
from medtransfer.sources.kaggle.questions import known_names, newest_version
from medtransfer.sources.kaggle.reference import SITE, Reference
from medtransfer.study import near

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
