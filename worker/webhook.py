"""Reports to the webhook that a job or an experiment has ended."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time

from store.database import reading
from store.models import Delivery
from store.outgoing import NoAnswer, request
from store.repositories import deliveries
from store.settings import Settings
from worker.sender import ReceiverAway, Turn

SECONDS = 10.0  # for one request and its answer
LARGEST_ANSWER = 4096  # bytes; nothing but the status is used

log = logging.getLogger(__name__)


class Webhook:
    """What the webhook has not got yet, see :class:`worker.sender.Work`.

    A delivery may come twice, with the same id: when the answer was lost, or the worker was killed.
    """

    receiver = "webhook"

    def __init__(self, settings: Settings) -> None:
        self._url = settings.webhook_url.get_secret_value()
        self._secret = settings.webhook_secret.get_secret_value()
        self._allow_private = settings.webhook_allow_private

    def is_due(self) -> bool:
        with reading() as session:
            return deliveries.are_due(session)

    def send(self, turn: Turn) -> None:
        with turn.writing() as session:
            deliveries.add_ended_experiments(session)
        while turn.goes_on():
            with reading() as session:
                delivery = deliveries.next_due(session)
            if delivery is None:
                return
            turn.keep()
            problem = self._post(delivery)
            with turn.writing() as session:
                if problem is None:
                    deliveries.taken(session, delivery.id)
                elif not deliveries.not_taken(session, delivery.id):
                    log.error("gave up sending the webhook %s %s", delivery.event, delivery.subject_id)
            if problem is not None:
                raise ReceiverAway(problem)

    def _post(self, delivery: Delivery) -> str | None:
        """Why it was not taken; None if it was."""
        body = delivery.body.encode()
        headers = {"Content-Type": "application/json", "User-Agent": "colt-studio", **self._signed(delivery.id, body)}
        try:
            answer = request(
                "POST",
                self._url,
                headers=headers,
                body=body,
                seconds=SECONDS,
                allow_private=self._allow_private,
                largest=LARGEST_ANSWER,
            )
        except NoAnswer as error:
            return str(error)
        return None if 200 <= answer.status < 300 else f"it answers {answer.status}"

    def _signed(self, delivery_id: str, body: bytes) -> dict[str, str]:
        """Headers that show the receiver that this service has sent the body, and when."""
        timestamp = str(int(time.time()))
        signed = b".".join([delivery_id.encode(), timestamp.encode(), body])
        signature = hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()
        return {"Colt-Delivery": delivery_id, "Colt-Timestamp": timestamp, "Colt-Signature": f"v1={signature}"}
