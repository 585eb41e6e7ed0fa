"""A real reverse proxy that publishes a service under a path."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding"}


@dataclass
class Proxy:
    """Its address without the path, what it was asked for outside the path, and what failed."""

    url: str
    outside: list[str] = field(default_factory=list)
    failed: list[tuple[str, int]] = field(default_factory=list)


@contextmanager
def proxying(port: int, path: str, *, strips: bool) -> Iterator[Proxy]:
    """Everything below `path` comes from the service on `port` of this machine.

    Args:
        strips: whether the proxy takes the path off, or passes it on.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != path and not self.path.startswith(f"{path}/"):
                proxy.outside.append(self.path)
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            passed = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                asked = (self.path.removeprefix(path) or "/") if strips else self.path
                connection.request(self.command, asked, body, passed)
                answer = connection.getresponse()
                if answer.status >= 400:
                    proxy.failed.append((self.path, answer.status))
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _OF_ONE_CONNECTION:
                        self.send_header(name, value)
                self.end_headers()
                while part := answer.read1(65_536):  # at once: event streams are live
                    self.wfile.write(part)
            except OSError:  # one of the two has gone
                self.close_connection = True
            finally:
                connection.close()

        do_POST = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815 - their names are the methods

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
