"""`colt drop-scores`: drop the scores of sampling rounds that COLT_KEEP_ROUND_SCORES lets go."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from cli.errors import Refused
from store.artifacts import ArtifactsUnavailable, get_artifacts
from store.database import reading, writing
from store.repositories import jobs, round_scores
from store.settings import get_settings
from store.space import give_back


def drop_scores(*, apply: bool) -> int:
    """Print what would be dropped of each job that does not run, or drop it.

    Returns:
        0, the exit code.

    Raises:
        Refused: when the database or the artifact store does not answer.
    """
    setting = get_settings().keep_round_scores
    rounds = bytes_ = returned = 0
    try:
        with reading() as session:
            ids = round_scores.jobs_with_rounds(session)
        for job_id in ids:
            with (writing if apply else reading)() as session:
                job = jobs.lock(session, job_id) if apply else jobs.get(session, job_id)
                if job is None or job.lease_token is not None:  # its trainer drops them
                    continue
                found = round_scores.to_drop(session, job_id, setting)
                keys = round_scores.drop(session, job_id, found) if apply else []
            for key in keys:
                get_artifacts().delete(key)
            if found:
                taken = sum(scores.bytes for scores in found)
                rounds, bytes_ = rounds + len(found), bytes_ + taken
                print(f"{job.name} ({job_id}): {len(found)} rounds, {taken:,} bytes")
        if apply:
            returned = give_back()
    except SQLAlchemyError as error:
        raise Refused(f"the database does not answer: {getattr(error, 'orig', None) or error}") from error
    except ArtifactsUnavailable as error:
        raise Refused(f"{error}. Check COLT_ARTIFACTS_URL and its disk.") from error
    what = f"the scores of {rounds} rounds, {bytes_:,} bytes (COLT_KEEP_ROUND_SCORES={setting})"
    if apply:
        print(f"Dropped {what}. The database file is {returned:,} bytes smaller.")
    else:
        print(f"Would drop {what}. Figures and picks stay. Repeat with --apply to do it.")
    return 0
