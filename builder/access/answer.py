"""Answer: what the answer of a server says of a file: data, a refusal, or an error that may pass."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2
from psgimg.builder import http_retry
from psgimg.builder.access.remote_file import NO_ACCESS, WITHDRAWN
from psgimg.builder.errors import RecordingError

PARTIAL, BEYOND_THE_END, TOO_MANY = 206, 416, 429
HTML = ("text/html", "application/xhtml+xml")


class RefusedError(RecordingError):
    """A file that the server will not give to this user, now or later."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a server, for messages: its name, and what to do if the server lacks it."""

    what: str
    if_absent: str = "leave it out"


LIST = Asked("the list of files", "update psgimg, or correct the address of the mirror")
ARCHIVE = Asked("the archive", LIST.if_absent)


def require_data(response: httpx2.Response, asked: Asked, server: str, remedy: str) -> None:
    """Refuse an answer that is not data.

    Parameters
    ----------
    server, remedy
        The service as users know it, and what a user without access does.

    Raises
    ------
    RefusedError
        If the server does not give it to this user, or no longer has it.
    httpx2.HTTPStatusError
        If the server reports another error, which may pass.
    """
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.is_redirect or response.status_code in (401, 403):
        raise RefusedError(NO_ACCESS, f"{server} does not give {asked.what} to you: {remedy}")
    if response.status_code in (404, 410):
        raise RefusedError(WITHDRAWN, f"{server} does not have {asked.what}; {asked.if_absent}")
    response.raise_for_status()
    if kind in HTML:
        raise RefusedError(NO_ACCESS, f"{server} sent a web page instead of {asked.what}: {remedy}")


def require_plain(response: httpx2.Response, what: str, server: str) -> None:
    """Refuse an answer that is compressed although it was asked for as it is.

    It could not be continued, and where no checksum is published, it would be taken for the file.

    Raises
    ------
    RecordingError
        If it is.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RecordingError(
            "unreadable answer",
            f"{server} sends {what} compressed, which was not asked for; a proxy on the way may do "
            "that: try another network",
        )


def require_part(response: httpx2.Response, first: int, server: str) -> None:
    """Refuse an answer that is not the part of an archive that was asked for.

    Raises
    ------
    RecordingError
        If it is not, or it is compressed.
    """
    if response.status_code != PARTIAL or first_byte(response) != first:
        raise RecordingError(
            "no Range requests",
            f"{server} does not send parts of an archive; download it whole, unpack it, and give --root",
        )
    require_plain(response, ARCHIVE.what, server)


def whole_size(response: httpx2.Response, listed: int | None) -> int:
    """Return the bytes that a file has at least if the answer is not cut off; 0 if that is unknown.

    A server may send less than the rest that it was asked for, and may end an answer whose length it
    did not tell by closing the connection, as a broken connection does.

    Parameters
    ----------
    listed
        Size in the list of files.
    """
    if response.status_code == PARTIAL:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        return int(total) if total.isascii() and total.isdigit() else listed or 0
    told = {"Content-Length", "Transfer-Encoding"} & {*map(str.title, response.headers)}
    return 0 if told else listed or 0


def first_byte(response: httpx2.Response) -> int:
    """Return the place in the file at which a partial answer begins; -1 if it does not say."""
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    first = span.partition("-")[0]
    return int(first) if unit == "bytes" and first.isascii() and first.isdigit() else -1


def validators_of(response: httpx2.Response) -> list[str]:
    """Return what identifies the version of a file, for ``If-Range``; empty if nothing does."""
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return [etag] if etag and not etag.startswith("W/") else [date] if date else []


def reason_of(error: BaseException) -> str:
    """Return what a server does, without its address."""
    response = http_retry.response_of(error)
    if response is not None:
        code = response.status_code  # its text may be anything, and may repeat the address
        return f"answers {code} {httpx2.codes.get_reason_phrase(code)}".rstrip()
    if isinstance(error, httpx2.TimeoutException):
        return "does not answer"
    if isinstance(error, httpx2.ConnectError):
        return f"can't be reached ({error})"
    return f"drops the connection ({type(error).__name__})"
