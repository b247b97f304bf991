"""Calls of an official client about batches: asked again while that may help, and in our words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, TypeAlias, TypeVar

from judgebench.errors import CallError
from judgebench.providers.batches.interface import UnheardError
from judgebench.providers.door import CONNECT_S, Door
from judgebench.providers.http_errors import (
    connection_error,
    excerpt,
    key_advice,
    status_error,
)
from judgebench.providers.retry import MAX_WAIT_S, wait_before_next
from judgebench.records import Usage

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

MAX_TRIES = 5


Stream: TypeAlias = Callable[[], AbstractContextManager[Iterator[bytes]]]
"""Opens a download; may be asked to more than once."""


class Calls:
    """Asks one address. Whatever goes wrong is a `CallError` without the key in it.

    Parameters
    ----------
    sdk
        Module of the official client: its errors are meant.
    sleep
        The passing of time between two tries, seconds; for tests.
    """

    def __init__(
        self,
        door: Door,
        *,
        sdk: Any,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.where = door.base_url
        self._door = door
        self._sdk = sdk
        self._sleep = sleep

    def asked(self, ask: Callable[[], object]) -> dict[str, Any]:
        """The JSON object that comes back. Asked again where that may help."""
        return self._persistently(lambda: self._object(self._once(ask)))

    def made(self, ask: Callable[[], object]) -> str:
        """The id of what was made.

        Asked again only where surely nothing was made.

        Raises
        ------
        CallError
            When surely nothing was made.
        UnheardError
            When it may have been.
        """
        try:
            return self._persistently(
                lambda: text_of(self._object(self._once(ask)), "id", self.where), _surely_not_made
            )
        except CallError as error:
            if _surely_not_made(error):
                raise
            said = str(error)
        raise UnheardError(f"whether the batch was made is not known: {said}")

    def pages(self, ask: Callable[[str | None], object]) -> Iterator[dict[str, Any]]:
        """The entries of a list in pages, each asked for with the last id of the one before.

        Ends where a server repeats itself.
        """
        seen: set[str] = set()
        after: str | None = None
        while True:
            page = self.asked(partial(ask, after))
            entries = [entry for entry in page.get("data") or () if isinstance(entry, dict)]
            new = [entry for entry in entries if text_of(entry, "id", self.where) not in seen]
            yield from new
            if not new or page.get("has_more") is False:
                return
            after = new[-1]["id"]
            seen |= {entry["id"] for entry in new}

    @contextmanager
    def downloaded(self, *streams: Stream) -> Iterator[IO[bytes]]:
        """What the streams hold, one after the other, on disk: whole, or a `CallError`.

        A download that breaks off starts again before anybody has seen half of it.
        """
        with TemporaryFile() as file:
            for stream in streams:
                self._persistently(partial(self._once, partial(_copy, stream, file, file.tell())))
                file.write(b"\n")
            file.seek(0)
            yield file

    def _object(self, answer: object) -> dict[str, Any]:
        if hasattr(answer, "to_dict"):
            made: dict[str, Any] = answer.to_dict(mode="json")
            return made
        found = excerpt(repr(answer), 80, self._door.key)
        raise CallError(
            f"{self.where} answered something that is no JSON object ({found}); check base_url",
            retriable=False,
            kind="bad_answer",
        )

    def _once(self, ask: Callable[[], T]) -> T:
        """One attempt. Raised outside of the except blocks: the chain would hold the key."""
        import httpx2

        try:
            return ask()
        except (self._sdk.APIStatusError, httpx2.HTTPStatusError) as error:
            failed = self._refused(error.response)
        except (self._sdk.APIError, httpx2.HTTPError, OSError) as error:
            failed = connection_error(
                error, where=self.where, timeout_s=self._door.timeout_s, key=self._door.key
            )
        except ValueError as error:
            failed = CallError(
                f"{self.where} answered broken JSON ({excerpt(str(error), 100, self._door.key)})",
                retriable=True,
                kind="bad_answer",
                charged=Usage(),
            )
        raise failed

    def _refused(self, response: httpx2.Response) -> CallError:
        if response.status_code == 404:
            return CallError(
                f"{self.where} answered 404 Not Found: it has no such batch or file, or no batch "
                "interface; is this the account that submitted it, and base_url its address?",
                retriable=False,
                status=404,
                kind="not_found",
            )
        return status_error(
            response.status_code,
            response.headers,
            response.content,
            where=self.where,
            model="",
            key=self._door.key,
            variable=self._door.variable,
            not_accepted="it does not accept this call about a batch; run without batches to see "
            "whether it takes the questions themselves",
        )

    def _persistently(
        self, attempt: Callable[[], T], allowed: Callable[[CallError], bool] = lambda error: True
    ) -> T:
        for tries in count(1):
            try:
                return attempt()
            except CallError as error:
                failed = error
            far_off = (failed.retry_after_s or 0.0) > MAX_WAIT_S
            if not failed.retriable or far_off or tries == MAX_TRIES or not allowed(failed):
                break
            self._sleep(wait_before_next(failed, tries))
        raise failed


def client_options(
    door: Door, sdk: Any, variable: str, more_headers: Iterable[str] = ()
) -> dict[str, Any]:
    """How an official client is made for a door; see `Door.unwanted_headers` for the last two.

    Raises
    ------
    CallError
        For a door that needs a key when there is none.
    """
    import httpx2

    if door.needs_key and door.key is None:
        raise CallError(
            f"{door.base_url}: {key_advice(None, door.variable)}",
            retriable=False,
            status=401,
            kind="key",
        )
    unwanted = door.unwanted_headers(variable, more_headers)
    unwanted += [] if door.key is not None else ["Authorization", "X-Api-Key"]

    def drop_unwanted(request: httpx2.Request) -> None:
        for name in unwanted:
            request.headers.pop(name, None)

    timeout = httpx2.Timeout(door.timeout_s, connect=min(CONNECT_S, door.timeout_s))
    return {
        "base_url": door.base_url,
        "api_key": door.key.reveal() if door.key is not None else "none",
        "max_retries": 0,
        "timeout": timeout,
        "http_client": sdk.DefaultHttpxClient(
            timeout=timeout,
            trust_env=not door.is_loopback,  # no proxy reaches our own machine
            follow_redirects=False,  # the key is not for another address
            event_hooks={"request": [drop_unwanted]},
        ),
    }


def text_of(answer: Mapping[str, Any], name: str, where: str) -> str:
    """A text that must be there.

    Raises
    ------
    CallError
        Where it is not: whoever answered has no batch interface, or may have taken the batch.
    """
    value = answer.get(name)
    if isinstance(value, str) and value:
        return value
    raise CallError(
        f"{where} answered without {name!r}; does it have a batch interface?",
        retriable=False,
        kind="bad_answer",
        charged=Usage(),
    )


def _surely_not_made(error: CallError) -> bool:
    """A connection that never stood, or a refusal of what was asked; not a fault on the way."""
    if error.status is None:
        return error.kind in {"connection", "timeout"} and error.charged is None
    return error.status < 500 and error.status not in {408, 409}


def _copy(stream: Stream, file: IO[bytes], start: int) -> None:
    file.seek(start)
    file.truncate()
    with stream() as chunks:
        file.writelines(chunks)
