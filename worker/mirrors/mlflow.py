"""MLflow, by its REST API. One job is one run.

A tracking server keeps a point once, however often it gets it with the same time.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit

from store.outgoing import Answer, NoAnswer, request, without_user
from store.settings import Settings
from store.statuses import FINAL
from worker.mirrors.packet import Packet
from worker.mirrors.target import PacketRefused, State
from worker.sender import ReceiverAway

T = TypeVar("T")
MOST_METRICS, MOST_PARAMS = 500, 100  # in one request
SECONDS = 20.0  # for one request; less than a lease on the receiver
LONGEST_PARAM, LONGEST_TAG = 500, 5000  # characters; newer servers take more
STATUSES = {
    "queued": "SCHEDULED",
    "running": "RUNNING",
    "cancelling": "RUNNING",
    "cancelled": "KILLED",
    "failed": "FAILED",
    "succeeded": "FINISHED",
}
# What is wrong with one run or packet. Any other error is the server's, or a proxy's.
_REFUSALS = {
    *("BAD_REQUEST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"),
    *("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"),
}
_STRANGE = "it does not answer as MLflow does"
_PROXIED = "mlflow-artifacts"  # scheme of artifacts that the server itself takes


class MlflowTarget:
    """A tracking server, see :class:`worker.mirrors.target.Target`."""

    name = "mlflow"

    def __init__(self, settings: Settings) -> None:
        url = settings.mlflow_url.get_secret_value()
        self._base = without_user(url).rstrip("/")
        self._experiment = settings.mlflow_experiment
        parts, token = urlsplit(url), settings.mlflow_token.get_secret_value()
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"

    def send(self, packet: Packet, state: State | None, keep: Callable[[], None]) -> State:
        if state is None:
            try:
                state = self._begin(packet)
            except (KeyError, TypeError, IndexError):
                raise ReceiverAway(_STRANGE) from None
        of_run = {"run_id": state["run_id"]}
        for metrics in _parts(packet.points, MOST_METRICS):
            keep()
            named = [{"key": name, "step": step, "value": value, "timestamp": at} for name, step, value, at in metrics]
            self._post("runs/log-batch", {**of_run, "metrics": named})
        for name, document in packet.documents.items():
            keep()
            self._upload(state["artifacts"], name, json.dumps(document, indent=1).encode())
        if packet.status is not None:
            if packet.error is not None:
                self._post("runs/set-tag", {**of_run, "key": "colt.error", "value": packet.error[:LONGEST_TAG]})
            ended = {"end_time": packet.status_at} if packet.status in FINAL else {}
            self._post("runs/update", {**of_run, "status": STATUSES[packet.status], **ended})
        return state

    def _begin(self, packet: Packet) -> State:
        """The job's run with its params. An earlier attempt may have made it."""
        experiment_id = self._experiment_id()
        wanted = {
            "experiment_ids": [experiment_id],
            "filter": f"tags.`colt.job_id` = '{packet.job_id}'",
            "max_results": 1,
        }
        found = self._post("runs/search", wanted).get("runs")
        tags = [{"key": name, "value": value[:LONGEST_TAG]} for name, value in packet.tags.items()]
        new = {"experiment_id": experiment_id, "run_name": packet.name, "start_time": packet.begins_at, "tags": tags}
        run = found[0] if found else self._post("runs/create", new)["run"]
        state = {"run_id": run["info"]["run_id"], "artifacts": run["info"]["artifact_uri"]}
        settings = [(name, value) for name, value in packet.config.items() if value is not None]
        for part in _parts(settings, MOST_PARAMS):
            params = [{"key": name, "value": _param(value)[:LONGEST_PARAM]} for name, value in part]
            self._post("runs/log-batch", {"run_id": state["run_id"], "params": params})
        return state

    def _experiment_id(self) -> str:
        named = urlencode({"experiment_name": self._experiment})
        answer = self._request("GET", f"api/2.0/mlflow/experiments/get-by-name?{named}")
        if _error_code(answer) != "RESOURCE_DOES_NOT_EXIST":
            return str(_checked(answer)["experiment"]["experiment_id"])
        return str(self._post("experiments/create", {"name": self._experiment})["experiment_id"])

    def _upload(self, artifacts: str, name: str, document: bytes) -> None:
        """Replace a file of the run, if the server takes files. Else its clients would write to a
        store that this worker may not reach."""
        place = urlsplit(artifacts)
        if place.scheme == _PROXIED:
            path = quote(f"{place.path.strip('/')}/{name}")
            _checked(self._request("PUT", f"api/2.0/mlflow-artifacts/artifacts/{path}", document))

    def _post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        return _checked(self._request("POST", f"api/2.0/mlflow/{call}", json.dumps(body).encode()))

    def _request(self, method: str, path: str, body: bytes = b"") -> Answer:
        try:
            return request(method, f"{self._base}/{path}", headers=self._headers, body=body, seconds=SECONDS)
        except NoAnswer as error:
            raise ReceiverAway(str(error)) from None


def _checked(answer: Answer) -> dict[str, Any]:
    """The object of an answer.

    Raises:
        ReceiverAway, PacketRefused: the answer is an error.
    """
    if answer.status == 200:
        found = _object(answer) if answer.body else {}
        if found is None:
            raise ReceiverAway(_STRANGE)
        return found
    code = _error_code(answer)
    if code in _REFUSALS:
        raise PacketRefused(code)
    raise ReceiverAway(f"it answers {answer.status}")


def _error_code(answer: Answer) -> str | None:
    return None if answer.status == 200 else (_object(answer) or {}).get("error_code")


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _param(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
