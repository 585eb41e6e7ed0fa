"""Requests to other services end, whatever the other side does."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from store.outgoing import NoAnswer, PrivateAddress, is_public, request, without_user
from tests.support.processes import free_port
from tests.support.receiver import receiving

PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1"),
    *("::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_known_in_every_form(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_a_private_address_is_not_connected_to_by_any_name(host: str) -> None:
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        with pytest.raises(PrivateAddress):
            request("POST", url, allow_private=False)
        assert receiver.got == []


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is checked and private when it is used gains nothing: it is
    looked up once."""
    looked_up = []

    def changing(host: str, port: int, **_: object) -> list[object]:
        looked_up.append(host)
        address = "8.8.8.8" if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address)
        raise OSError("nothing leaves the tests")

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NoAnswer):
        request("POST", "http://changing.example:81/", allow_private=False)
    assert looked_up == ["changing.example"] and connected == [("8.8.8.8", 81)]


def test_a_redirect_is_an_answer() -> None:
    with receiving() as other, receiving() as receiver:
        receiver.status, receiver.headers = 307, {"Location": other.url}
        assert request("POST", receiver.url).status == 307
        assert other.got == []


def test_no_more_of_an_answer_is_read_than_wanted() -> None:
    with receiving() as receiver:
        receiver.status, receiver.body = 200, b"x" * 10_000_000
        assert request("POST", receiver.url, largest=100).body == b"x" * 100


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer):
        request("GET", f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(NoAnswer):
        request("GET", "http://no-such-name.invalid/")


def test_an_answer_that_comes_byte_by_byte_ends_at_the_deadline() -> None:
    """Each byte comes in time; the whole never does."""
    ended = threading.Event()

    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not ended.is_set():
                    connection.sendall(b"H")
                    time.sleep(0.01)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=[listener])
        thread.start()
        try:
            with pytest.raises(NoAnswer):
                request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", seconds=0.3)
        finally:
            ended.set()
            thread.join(20)


def test_a_server_that_never_answers_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(NoAnswer):
        request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", seconds=0.3)


def test_user_and_password_are_left_out() -> None:
    assert without_user("https://u:p%40@host:8/path?q=1") == "https://host:8/path?q=1"
