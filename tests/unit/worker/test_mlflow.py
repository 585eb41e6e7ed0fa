"""Answers of an MLflow server that is not as it should be. tests/integration has a real one."""

from __future__ import annotations

import json
import socket
from base64 import b64encode

import pytest

from store.settings import Settings
from tests.support.receiver import Receiver, receiving
from worker.mirrors import mlflow
from worker.mirrors.mlflow import MlflowTarget
from worker.mirrors.packet import Packet
from worker.mirrors.target import PacketRefused
from worker.sender import ReceiverAway

PACKET = Packet("j", "job", {"colt.job_id": "j"}, {"epochs": 3}, 0, [("loss", 1, 0.5, 1)], {}, "running", 0, None)


def send(url: str, token: str = "") -> None:
    MlflowTarget(Settings(mlflow_url=url, mlflow_token=token)).send(PACKET, None, lambda: None)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, "<html>", "it does not answer as MLflow does"),
        (200, "[]", "it does not answer as MLflow does"),
        (200, "{}", "it does not answer as MLflow does"),
        (302, "", "it answers 302"),
        (401, "", "it answers 401"),
        (404, "<html>", "it answers 404"),
        (503, "{}", "it answers 503"),
        (500, json.dumps({"error_code": "INTERNAL_ERROR"}), "it answers 500"),
    ],
)
def test_a_server_that_is_none_is_away(status: int, body: str, told: str) -> None:
    with receiving() as receiver:
        receiver.status, receiver.body = status, body.encode()
        with pytest.raises(ReceiverAway, match=told):
            send(receiver.url)


def test_what_the_server_does_not_take_is_refused() -> None:
    with receiving() as receiver:
        receiver.status, receiver.body = 400, json.dumps({"error_code": "INVALID_STATE"}).encode()
        with pytest.raises(PacketRefused, match="INVALID_STATE"):
            send(receiver.url)


def test_a_server_that_hangs_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ReceiverAway):
        send(f"http://127.0.0.1:{listener.getsockname()[1]}")


def authorization(receiver: Receiver, url: str, token: str = "") -> str | None:
    with pytest.raises(ReceiverAway):
        send(url, token)
    (got,) = receiver.got
    assert "secret" not in got.path
    return got.headers.get("Authorization")


def test_the_user_and_the_token_are_sent_as_headers() -> None:
    with receiving() as receiver:
        receiver.status = 401
        url = receiver.url.replace("http://", "http://me:se%40cret@")
        assert authorization(receiver, url) == f"Basic {b64encode(b'me:se@cret').decode()}"
        receiver.got.clear()
        assert authorization(receiver, url, "a-token") == "Bearer a-token"
        receiver.got.clear()
        assert authorization(receiver, receiver.url) is None
