"""What a command that fails says on stderr, and its exit code."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from cli.errors import Refused

REFUSED, USAGE, UNREACHABLE, UNSUCCESSFUL, INTERRUPTED = 1, 2, 3, 4, 130

EXIT_CODES = """Exit code 0 is success. 1: refused, failed, or a check found something. 2: wrong
arguments or settings. 3: the service does not answer, or takes no requests now. 4: what was waited
for failed or was cancelled. 130: Ctrl-C."""


class Commands(TyperGroup):
    """The commands of `colt`. What they return is the exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            code = super().invoke(ctx)
        except Exception as error:
            said = _said(error)
            if said is None:
                raise
            code, lines = said
            for line in lines:
                print(f"colt {ctx.invoked_subcommand}: {line}", file=sys.stderr)
        raise typer.Exit(code or 0)


def _said(error: Exception) -> tuple[int, list[str]] | None:
    """The exit code and what to say. None: an error of our own, which needs its traceback.

    Libraries are looked up rather than imported: an error of one that is not loaded is not its own.
    """
    if isinstance(error, Refused):
        return REFUSED, [str(error)]
    if (client := sys.modules.get("colt_client.errors")) is not None and isinstance(error, client.ColtError):
        if isinstance(error, client.ConnectionLost | client.Busy):
            return UNREACHABLE, [str(error)]
        if isinstance(error, client.Failed):
            return UNSUCCESSFUL, [str(error)]
        if isinstance(error, client.Unauthorized):
            return REFUSED, [f"{error} Set COLT_TOKEN (`colt token create NAME` makes one)."]
        return REFUSED, [f"status {error.status}: {error}" if isinstance(error, client.AnswerError) else str(error)]
    if (pydantic := sys.modules.get("pydantic")) is not None and isinstance(error, pydantic.ValidationError):
        problems = error.errors(include_input=False, include_url=False)
        names = ["COLT_" + "_".join(str(part) for part in problem["loc"]).upper() for problem in problems]
        return USAGE, [f"{name}: {problem['msg']}" for name, problem in zip(names, problems, strict=True)]
    return None
