from __future__ import annotations

import socket
from typing import Any

import pytest

from store.models import Seat
from store.settings import get_settings
from worker.addresses import address_towards, free_port, interface_towards, is_free, own_address
from worker.seats import difference, facts


def seat(worker: str, **told: Any) -> Seat:
    return Seat(worker_id=worker, facts=facts() | told)


def test_machines_alike_have_no_difference() -> None:
    assert difference([seat("a"), seat("b"), seat("c")]) is None


@pytest.mark.parametrize("name", ["code", "torch", "python", "bf16"])
def test_a_difference_names_what_differs_and_where(name: str) -> None:
    said = difference([seat("a"), seat("b"), seat("c", **{name: "other"})])
    assert said is not None and f"a has {name} " in said and "c has 'other'" in said


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as taken:
        taken.bind(("", port))
        taken.listen()
        assert not is_free(port)


def test_the_interface_towards_this_machine_is_the_loopback() -> None:
    assert address_towards("127.0.0.3").startswith("127.")
    assert interface_towards("127.0.0.3") == "lo"


def test_a_worker_has_the_address_that_is_set_or_that_of_the_route(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**values: str) -> str:
        for name in ("COLT_WORKER_ADDRESS", "COLT_DATABASE_URL", "COLT_BROKER_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        return own_address()

    try:
        assert said() == "127.0.0.1", "files alone: all workers are on this machine"
        assert said(COLT_BROKER_URL="redis://127.0.0.1:6379/0") == "127.0.0.1"
        assert said(COLT_WORKER_ADDRESS="10.0.0.7") == "10.0.0.7"
        with pytest.raises(ValueError, match="no-address"):
            said(COLT_WORKER_ADDRESS="no-address")
    finally:
        get_settings.cache_clear()
