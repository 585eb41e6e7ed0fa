"""`from colt_core import ...`: every name is there, and none costs more than it must."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import colt_core
import colt_core.data


@pytest.mark.parametrize("package", [colt_core, colt_core.data])
def test_every_name_imports_and_type_checkers_see_the_same_ones(package: ModuleType) -> None:
    assert package.__file__ is not None
    stub = ast.parse(Path(package.__file__).with_suffix(".pyi").read_text())
    imported = {
        alias.name: str(node.module) for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert package.__all__ == sorted(imported)
    assert set(package.__all__) <= set(dir(package))
    for name, module in imported.items():
        assert getattr(package, name) is getattr(import_module(module), name)


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
