"""`python -m worker`: one worker, in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import sys

from sqlalchemy.exc import DBAPIError

from store.database import get_engine, writing
from store.home import make_home
from store.migrate import DatabaseIsNewer, check_not_newer
from store.repositories import workers
from store.settings import get_settings
from worker import programs
from worker.app import PLACES, app, set_up_logging, standing
from worker.folder import get_folder

log = logging.getLogger("worker")


def main() -> int:
    """Run until asked to stop. Running work is then requeued, for another worker or the next start.

    Returns:
        0 after SIGTERM. Celery answers 1 after Ctrl-C and after an unrecoverable error.
    """
    make_home(get_settings().home)
    folder = get_folder()
    worker_id = folder.worker_id
    set_up_logging()
    log.info("worker %s starts", worker_id)
    try:
        check_not_newer(get_engine())
    except DatabaseIsNewer as error:
        log.critical("refusing to start: %s", error)
        return 1
    except DBAPIError:
        log.warning("the database does not answer yet; this worker takes work once it does")

    with folder.create():
        programs.prepare(get_settings())
        try:
            celery = app.Worker(
                hostname=f"colt@{worker_id}",
                # Each task only watches a process that it has started, so threads are enough. The
                # processes of a Celery pool share locks. One that is killed while it waits for work
                # keeps a lock, and blocks all others.
                pool="threads",
                concurrency=PLACES,  # a task for each place in a lane (see app.py)
                quiet=True,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                redirect_stdouts=False,
            )
            celery.start()
        finally:
            standing.end()
            folder.remove()
            _say_goodbye(worker_id)
    return int(celery.exitcode or 0)


def _say_goodbye(worker_id: str) -> None:
    try:
        with writing() as session:
            workers.forget(session, worker_id)
    except DBAPIError:
        log.warning("the database does not answer; this worker stays in the list of workers for a while")


if __name__ == "__main__":
    sys.exit(main())
