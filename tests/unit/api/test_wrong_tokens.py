"""A client that tries many tokens has to wait. One with a token, or with always the same wrong one,
locks nobody out."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.access import wrong_tokens
from api.access.wrong_tokens import MOST_WRONG, WINDOW_SECONDS, WrongTokens
from api.http.errors import TooManyRequests
from store.database import writing
from store.repositories import tokens
from tests.support.problems import problem

API = "/api/v1"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wrong(clock: Clock) -> WrongTokens:
    return WrongTokens(clock)


@pytest.fixture
def token(home: object) -> str:
    with writing() as session:
        return tokens.create_token(session, "test", ["read", "write"])


@pytest.fixture
def other_client(app: FastAPI, client: TestClient) -> Iterator[TestClient]:
    """The same application, called from another address. It has no lifespan of its own."""
    yield TestClient(app, base_url="http://localhost", client=("192.0.2.7", 50_000))


def guess(wrong: WrongTokens, address: str, count: int = MOST_WRONG) -> None:
    for number in range(count):
        wrong.check(address, f"guess {number}")
        wrong.note_wrong(address, f"guess {number}")


def refused(wrong: WrongTokens, address: str, token: str = "another") -> bool:
    try:
        wrong.check(address, token)
    except TooManyRequests:
        return True
    return False


def test_logins_are_refused_after_too_many_wrong_tokens_even_with_the_right_one(
    client: TestClient, other_client: TestClient, token: str
) -> None:
    for number in range(MOST_WRONG):
        problem(client.post(f"{API}/session", json={"token": f"guess {number}"}), 401)
    for tried in ("one more", token):  # the answer reveals nothing about the token
        answer = client.post(f"{API}/session", json={"token": tried})
        assert "try again in" in str(problem(answer, 429)["detail"])
        assert 1 <= int(answer.headers["retry-after"]) <= WINDOW_SECONDS
        assert "set-cookie" not in answer.headers
    assert other_client.post(f"{API}/session", json={"token": token}).status_code == 204


def test_bearer_tokens_are_counted_too_and_those_at_work_go_on(client: TestClient, token: str) -> None:
    def ask(sent: str) -> int:
        return client.get(f"{API}/jobs", headers={"Authorization": f"Bearer {sent}"}).status_code

    assert ask(token) == 200
    with writing() as session:
        unused = tokens.create_token(session, "new", ["read"])
    assert [ask(f"guess {number}") for number in range(MOST_WRONG + 3)] == [401] * MOST_WRONG + [429] * 3
    assert ask(token) == 200
    assert ask(unused) == 429  # or else the refusals would only be of the wrong ones
    problem(client.post(f"{API}/session", json={"token": "x"}), 429)


def test_a_program_with_a_revoked_token_locks_nobody_out(client: TestClient, token: str) -> None:
    for _ in range(3 * MOST_WRONG):
        problem(client.get(f"{API}/jobs", headers={"Authorization": "Bearer revoked"}), 401)
    assert client.post(f"{API}/session", json={"token": token}).status_code == 204


def test_a_token_that_was_right_is_forgotten_once_it_is_wrong(wrong: WrongTokens) -> None:
    wrong.note_right("revoked")
    guess(wrong, "192.0.2.1")
    assert not refused(wrong, "192.0.2.1", "revoked")
    wrong.note_wrong("192.0.2.1", "revoked")
    assert refused(wrong, "192.0.2.1", "revoked")


def test_the_wait_is_as_long_as_it_says(wrong: WrongTokens, clock: Clock) -> None:
    guess(wrong, "192.0.2.1", 1)
    clock.now += 20
    guess(wrong, "192.0.2.1")
    with pytest.raises(TooManyRequests) as caught:
        wrong.check("192.0.2.1", "another")
    assert caught.value.headers == {"Retry-After": str(WINDOW_SECONDS - 20)}
    clock.now += WINDOW_SECONDS - 20 - 0.5
    assert refused(wrong, "192.0.2.1")
    clock.now += 0.5
    assert not refused(wrong, "192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),  # one customer's network
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("unknown", "testclient", False),
    ],
)
def test_addresses_are_told_apart_as_customers_are(wrong: WrongTokens, one: str, other: str, same: bool) -> None:
    guess(wrong, one)
    assert refused(wrong, one)
    assert refused(wrong, other) is same


def test_memory_is_bounded_whoever_comes(wrong: WrongTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_tokens, "MOST_ADDRESSES", 300)
    monkeypatch.setattr(wrong_tokens, "MOST_RIGHT", 300)
    guess(wrong, "192.0.2.1")
    tracemalloc.start()
    try:
        sizes = []
        for turn in range(4):
            for number in range(300):
                wrong.note_wrong(f"10.{turn}.{number >> 8}.{number & 255}", "x" * 1000)
                wrong.note_wrong(f"{turn} {number} what a proxy wrote {'y' * 1000}", "x")
                wrong.note_right(f"{turn} {number}")
            sizes.append(tracemalloc.get_traced_memory()[0])
        assert sizes[-1] < 1.2 * sizes[0] < 1_000_000
    finally:
        tracemalloc.stop()
    assert not refused(wrong, "192.0.2.1")  # the oldest is forgotten first
