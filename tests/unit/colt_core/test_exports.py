"""`from colt_core import ...`: every name is there, and none costs more than it must."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import colt_core


def test_every_name_imports_and_type_checkers_see_the_same_ones() -> None:
    for name in colt_core.__all__:
        assert getattr(colt_core, name) is not None
    stub = ast.parse((Path(colt_core.__file__).with_suffix(".pyi")).read_text())
    imported = {
        alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == colt_core._MODULE_OF
    assert set(colt_core.__all__) <= set(dir(colt_core))


def test_an_unknown_name_is_an_ordinary_import_error() -> None:
    with pytest.raises(ImportError, match="no_such_thing"):
        from colt_core import no_such_thing  # type: ignore[attr-defined]  # noqa: F401


@pytest.mark.parametrize(
    "statement",
    [
        "from colt_core import PretrainConfig, EpochDone",
        "import colt_core.presets, colt_core.data.groups, colt_core.data.spec, colt_core.probes.kinds",
        "import colt_core.analyses.kinds",
        "from colt_core import RunData, run_cost; import colt_core.data.counts",
    ],
)
def test_configuration_costs_no_torch(statement: str) -> None:
    heavy = "{'torch', 'torchvision', 'faiss', 'sklearn'}"
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
