"""The page of a record that names each file and column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from api.markdown import plain, table
from api.records.files import RecordFile
from colt_core.version import installed_version


def write(name: str, status: str, now: dt.datetime, files: Sequence[RecordFile]) -> RecordFile:
    """README.md of a run's record.

    Args:
        name: of the run.
        status: of the run when the record was made.
        now: when it was made.
        files: the others.
    """
    parts = [
        f"# The record of {plain(name)}",
        f"COLT Studio {installed_version()} wrote it at {now:%Y-%m-%d %H:%M:%S} UTC. The run's status was {status}.",
        "Text is UTF-8, times are UTC (RFC 3339), and accuracies are shares of 1. What is not known is null in JSON, "
        "and an empty field in CSV. No file names a path of the server. Weights and images are not in it.",
        *(_about(file) for file in files),
    ]
    text = "\n\n".join(parts) + "\n"
    return RecordFile("README.md", "This page.", {}, lambda: [text])


def _about(file: RecordFile) -> str:
    heading = f"## {file.name}\n\n{file.about}"
    if not file.fields:
        return heading
    what = "column" if file.name.endswith(".csv") else "field"
    rows = [[f"`{name}`", about.replace("|", "\\|")] for name, about in file.fields.items()]
    return f"{heading}\n\n{table([what, 'what it is'], rows)}"
