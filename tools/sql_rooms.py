"""SQL is written in store/ alone (`make rooms`).

Prints each place elsewhere that builds or runs it, and ends with 1. Other rooms may name `Session`
as a type and catch the errors of `sqlalchemy.exc`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("api", "cli", "colt_core", "worker")
ERRORS = "sqlalchemy.exc"
ALLOWED = {("sqlalchemy.orm", "Session")}
RUNS_SQL = {"execute", "executemany", "exec_driver_sql", "query", "scalar", "scalars", "stream_scalars"}


def main(root: Path = ROOT) -> int:
    found = [
        f"{path.relative_to(root)}:{line}: {what}"
        for room in ROOMS
        for path in sorted((root / room).rglob("*.py"))
        for line, what in places(path.read_text("utf-8"))
    ]
    print("\n".join(found) if found else "SQL is in store/ alone.")
    return 1 if found else 0


def places(source: str) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) of each place that does what the store should."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=str(module)) if _is_sqlalchemy(module) and module != ERRORS:
                for alias in node.names:
                    if (module, alias.name) not in ALLOWED and f"{module}.{alias.name}" != ERRORS:
                        yield node.lineno, f"imports {alias.name} of {module}: build the query in store/repositories"
            case ast.Import():
                for alias in node.names:
                    if _is_sqlalchemy(alias.name) and alias.name != ERRORS:
                        yield node.lineno, f"imports {alias.name}: build the query in store/repositories"
            # `import sqlalchemy.exc` binds the whole package.
            case ast.Attribute(value=ast.Name(id="sqlalchemy"), attr=name) if name != "exc":
                yield node.lineno, f"uses sqlalchemy.{name}: build the query in store/repositories"
            case ast.Call(func=ast.Attribute(attr=name)) if name in RUNS_SQL:
                yield node.lineno, f"calls .{name}(): ask store/repositories"


def _is_sqlalchemy(module: str) -> bool:
    return module.partition(".")[0] == "sqlalchemy"


if __name__ == "__main__":
    sys.exit(main())
