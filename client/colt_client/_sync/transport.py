# Written by `make client` from the module of the same name in _async/. Change that one.
"""Sends calls, again where that is safe, and reads the answers."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from colt_client._sync import io
from colt_client.base import Model, Page
from colt_client.calls import Call, Tries, error_of
from colt_client.errors import AnswerError, ColtError, ConnectionLost, UnexpectedAnswer
from colt_client.events import Event, EventReader
from colt_client.models import ResumableUploadInfo
from colt_client.sources import Source
from colt_client.version import VERSION

M = TypeVar("M", bound=Model)
T = TypeVar("T")

API = "/api/v1"
OUTAGE_SECONDS = 600.0  # how long watching waits for an answer
_PAGE = 200  # items asked for at once
_SILENT_SECONDS = 60.0  # of a stream of events, which holds a ping every 15 s


class Transport:
    """The connections to one service."""

    def __init__(self, url: str, token: str | None, timeout: float, retry_seconds: float) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": f"colt-client/{VERSION}"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # A proxy from the environment cannot reach this machine's loopback.
        straight = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
        # Reading the certificates of the world takes a tenth of a second. None is needed there.
        address = httpx.URL(self.url)
        own = address.scheme == "http" and address.host in {"127.0.0.1", "localhost", "::1"}
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if own else True
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, mounts=straight, verify=verify)
        self._retry_seconds = retry_seconds

    def close(self) -> None:
        self._http.close()

    def send(self, call: Call, patience: float | None = None) -> httpx.Response:
        """The answer, which is a success.

        Args:
            patience: seconds in which it is tried again; None for the client's.

        Raises:
            AnswerError, ConnectionLost
        """
        tries = Tries(call, self._retry_seconds if patience is None else patience)
        while True:
            try:
                response = self._http.request(
                    call.method, call.path, params=call.params, json=call.json, headers=dict(call.headers)
                )
            except httpx.TransportError as error:
                pause: float | None = tries.after_loss(error, self.url)
            else:
                pause = tries.after_answer(response)
                if pause is None:
                    return response
            io.sleep(pause or 0)

    def upload(self, path: str, source: Source, show: Callable[[float, float | None], None]) -> httpx.Response:
        """Send a file as the body of a POST.

        It is sent again if the connection broke before the server had all of it: such a file is
        not kept.

        Raises:
            AnswerError, ConnectionLost
            ValueError: the file changed meanwhile.
        """
        call = Call("POST", path, {"filename": source.filename}, repeatable=False)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(source.size)}
        tries = Tries(call, self._retry_seconds)
        while True:
            sent = 0

            def body() -> Iterator[bytes]:
                nonlocal sent
                for block in io.reading(source.blocks()):
                    yield block
                    sent += len(block)
                    show(sent, source.size)

            try:
                response = self._http.post(path, params=call.params, content=body(), headers=headers)
            except httpx.TransportError as error:
                pause: float | None = tries.after_loss(error, self.url, reached=sent >= source.size)
            else:
                pause = tries.after_answer(response)
                if pause is None:
                    return response
            io.sleep(pause or 0)

    def send_rest(
        self, upload: ResumableUploadInfo, source: Source, show: Callable[[float, float | None], None]
    ) -> bool:
        """Send what the server has not of a file. If that breaks off, it continues where the server
        is, which may be down for ten minutes.

        Returns:
            Whether it broke off.

        Raises:
            AnswerError, ConnectionLost
            ValueError: the file changed meanwhile.
        """
        call = Call("PATCH", f"{API}/resumable-uploads/{upload.id}")
        tries = Tries(call, OUTAGE_SECONDS)
        timeout = httpx.Timeout(**{**self._http.timeout.as_dict(), "read": OUTAGE_SECONDS})  # it is put together
        broke_off = upload.offset > 0
        while True:
            offset = sent = upload.offset

            def body(offset: int = offset) -> Iterator[bytes]:
                nonlocal sent
                for block in io.reading(source.blocks(offset)):
                    yield block
                    sent += len(block)
                    show(sent, source.size)

            headers = {
                "Content-Type": "application/partial-upload",
                "Content-Length": str(source.size - offset),
                "Upload-Offset": str(offset),
            }
            moved: AnswerError | None = None
            try:
                response = self._http.patch(call.path, content=body(), headers=headers, timeout=timeout)
            except httpx.TransportError as error:
                pause: float | None = tries.after_loss(error, self.url)
            else:
                if response.status_code == httpx.codes.CONFLICT:
                    pause, moved = 0, error_of(response)
                else:
                    pause = tries.after_answer(response)
                    if pause is None:
                        return broke_off
            broke_off = True
            io.sleep(pause or 0)
            upload = self.get(ResumableUploadInfo, f"/resumable-uploads/{upload.id}", OUTAGE_SECONDS)
            show(upload.offset, source.size)
            if upload.complete:
                return broke_off
            if upload.offset > offset:
                tries = Tries(call, OUTAGE_SECONDS)
            elif moved is not None:
                raise moved

    def get(self, kind: type[M], path: str, patience: float | None = None, /, **query: Any) -> M:
        """The model that a GET answers."""
        response = self.send(Call("GET", f"{API}{path}", query), patience)
        found: M = read(kind, response)
        return found

    def post(self, kind: type[M], path: str, json: Any = None, *, repeatable: bool) -> M:
        """The model that a POST answers."""
        response = self.send(Call("POST", f"{API}{path}", json=json, repeatable=repeatable))
        found: M = read(kind, response)
        return found

    def delete(self, path: str) -> None:
        self.send(Call("DELETE", f"{API}{path}", done_status=httpx.codes.NOT_FOUND))

    def cancel(self, path: str) -> None:
        self.send(Call("POST", f"{API}{path}/cancel", done_status=httpx.codes.CONFLICT))

    def items(self, kind: type[M], path: str, /, limit: int | None = None, **query: Any) -> Iterator[M]:
        """The first `limit` items of a list, or all. A page is asked for when it is needed."""
        cursor: str | None = None
        left = sys.maxsize if limit is None else limit
        while left > 0:
            # Not `get`: mypy takes no generic type as a value.
            query |= {"limit": min(_PAGE, left), "cursor": cursor}
            page: Page[M] = read(Page[kind], self.send(Call("GET", f"{API}{path}", query)))  # type: ignore[valid-type]
            for item in page.items[:left]:
                yield item
            left -= len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def events(self, path: str, after: int = 0, follow: bool = True) -> Iterator[Event]:
        """The events after that with id `after`. A stream that breaks is resumed where it broke.

        Args:
            follow: until the last one. False: those that there are by now.

        Raises:
            AnswerError, ConnectionLost
        """
        call = Call("GET", f"{API}{path}", {} if follow else {"follow": False})
        tries = Tries(call, OUTAGE_SECONDS)
        while True:
            pause: float | None = None
            try:
                with self._stream(call, {"Last-Event-ID": str(after)}) as response:
                    if response.is_error:
                        response.read()
                        pause = tries.after_answer(response)
                    else:
                        reader = EventReader()
                        for data in response.iter_bytes():
                            for event in reader.feed(data):
                                yield event
                                if event.kind == "end":
                                    return
                                after = event.id or after
                            tries = Tries(call, OUTAGE_SECONDS)
            except httpx.TransportError as error:
                pause = tries.after_loss(error, self.url)
            # A server that ends has closed the stream before its `end`.
            io.sleep(0.5 if pause is None else pause)

    @contextmanager
    def _stream(self, call: Call, headers: dict[str, str]) -> Iterator[httpx.Response]:
        timeout = httpx.Timeout(**{**self._http.timeout.as_dict(), "read": _SILENT_SECONDS})
        stream = self._http.stream(call.method, call.path, params=call.params, headers=headers, timeout=timeout)
        with stream as response:
            yield response

    def download(
        self, path: str, query: dict[str, Any], show: Callable[[float, float | None], None]
    ) -> Iterator[bytes]:
        """The bytes of a file. A download that breaks is resumed where it broke.

        Raises:
            AnswerError, ConnectionLost
            ColtError: the file became another one meanwhile.
        """
        call = Call("GET", f"{API}{path}", query)
        tries = Tries(call, self._retry_seconds)
        done, total, tag = 0, None, ""
        while total is None or done < total:
            headers = {"Accept-Encoding": "identity"}  # ranges and lengths are of the file's own bytes
            headers |= {"Range": f"bytes={done}-", "If-Range": tag} if done else {}
            pause: float | None = None
            try:
                with self._http.stream("GET", call.path, params=call.params, headers=headers) as response:
                    if response.is_error:
                        response.read()
                        pause = tries.after_answer(response)
                    elif done and response.status_code != httpx.codes.PARTIAL_CONTENT:
                        raise ColtError(f"{call.path} changed while it was downloaded; download it again")
                    else:
                        tag = response.headers.get("etag", "")
                        length = response.headers.get("content-length")
                        total = total if done or length is None else int(length)
                        for block in response.iter_bytes():
                            yield block
                            done += len(block)
                            show(done, total)
                            tries = Tries(call, self._retry_seconds)
                        if total is None:
                            return
            except httpx.TransportError as error:
                if done and not tag:
                    raise ConnectionLost(f"the download of {call.path} broke and cannot be resumed: {error}") from error
                pause = tries.after_loss(error, self.url)
            io.sleep(pause or 0)


def read(kind: Any, response: httpx.Response) -> Any:
    """The body as a model, or as any other type.

    Raises:
        UnexpectedAnswer: it is not one.
    """
    try:
        if isinstance(kind, type) and issubclass(kind, Model):
            return kind.model_validate_json(response.content)
        return TypeAdapter(kind).validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"the answer to {response.request.method} {response.request.url.path} is not what colt-client {VERSION} "
            f"knows. Does the server have another version?\n{error}"
        ) from error
