"""`colt doctor`: check the data folder, the database and the artifact store for damage."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from cli.errors import Refused
from store.artifacts import ArtifactsUnavailable, get_artifacts
from store.doctor.damage import examine_files
from store.doctor.database import examine_database
from store.doctor.finding import Finding
from store.doctor.home import examine_home
from store.doctor.orphans import examine_orphans
from store.doctor.receivers import examine_receivers
from store.migrate import DatabaseIsNewer
from store.settings import get_settings


def doctor(*, fix: bool) -> int:
    """Check everything and print each problem. The service may be running.

    Args:
        fix: fix the problems that can be fixed without losing data.

    Returns:
        The exit code: 0 when no problem is left, else 1.

    Raises:
        Refused: when the database or the artifact store does not answer, or a newer version has
            migrated the database.
    """
    found = mended = 0
    try:
        for finding in _findings():
            found += 1
            print(finding.what)
            if fix and finding.mend is not None:
                finding.mend()
                mended += 1
                print(f"  fixed: {finding.advice}")
            else:
                print(f"  {'--fix would' if finding.mend else 'to do'}: {finding.advice}")
    except DatabaseIsNewer as error:
        raise Refused(str(error)) from error
    except SQLAlchemyError as error:
        raise Refused(f"the database does not answer: {getattr(error, 'orig', None) or error}") from error
    except ArtifactsUnavailable as error:
        raise Refused(f"{error}. Check COLT_ARTIFACTS_URL and its disk.") from error
    print(f"{found} found, {mended} fixed." if found else "Nothing is wrong.")
    return 0 if found == mended else 1


def _findings() -> Iterator[Finding]:
    yield from examine_home(get_settings().home)
    yield from examine_database()
    artifacts = get_artifacts()
    try:
        artifacts.check()
    except ArtifactsUnavailable as error:
        yield Finding(f"{error}; no work is taken", "free space on its disk, or make it writable")
    yield from examine_files(artifacts)
    yield from examine_orphans(artifacts, get_settings().home)
    yield from examine_receivers(get_settings())
