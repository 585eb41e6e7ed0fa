"""The HTTP client of `colt demo` and of experiments (benchmarks/experiments)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from typing import Any

import httpx

from cli.errors import Refused

Json = dict[str, Any]
POLL_SECONDS = 0.5


class Client:
    """Calls the API under `/api/v1`, with the token from COLT_TOKEN if it is set."""

    def __init__(self, url: str) -> None:
        token = os.environ.get("COLT_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        # A proxy from the environment cannot reach this machine's loopback.
        straight = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=30, mounts=straight)

    def close(self) -> None:
        self._http.close()

    def check_ready(self) -> None:
        """Check that the service is ready for requests.

        Raises:
            Refused: when it does not answer, or lacks something it needs.
        """
        try:
            answer = self._http.get("/readyz")
        except httpx.HTTPError as error:
            raise Refused(f"no service answers at {self.url}. Start it with `make up`, in another terminal.") from error
        if answer.status_code != httpx.codes.OK:
            raise Refused(f"the service at {self.url} is not ready: {answer.text}")

    def get(self, path: str, **params: Any) -> Json:
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Json) -> Json:
        return self._call("POST", path, json=body)

    def text(self, path: str, **params: Any) -> str:
        """An answer that is no JSON."""
        return self._answer("GET", path, params=params).text

    def _call(self, method: str, path: str, **request: Any) -> Json:
        document: Json = self._answer(method, path, **request).json()
        return document

    def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, f"/api/v1{path}", **request)
        except httpx.HTTPError as error:
            raise Refused(
                f"the service at {self.url} stopped answering ({error}); jobs continue once it is back"
            ) from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise Refused("the service needs a token: set COLT_TOKEN (`colt token create NAME` makes one)")
        if answer.is_error:
            raise Refused(f"{method} {path} failed with status {answer.status_code}: {answer.text}")
        return answer

    def find(self, path: str, wanted: Callable[[Json], bool]) -> Json | None:
        """The first item, on any page of a list, for which `wanted` is true."""
        params: Json = {"limit": 200}
        while True:
            page = self.get(path, **params)
            for item in page["items"]:
                if wanted(item):
                    return dict(item)
            if not page["next_cursor"]:
                return None
            params["cursor"] = page["next_cursor"]

    def follow(self, path: str, running: Collection[str], show: Callable[[Json], None]) -> Json:
        """Poll a resource until its status is not in `running`, and pass each answer to `show`."""
        while True:
            item = self.get(path)
            show(item)
            if item["status"] not in running:
                return item
            time.sleep(POLL_SECONDS)
