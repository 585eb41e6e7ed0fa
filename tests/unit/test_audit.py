"""`make audit` says what it did not look up."""

from __future__ import annotations

from tools.audit import skipped


def test_packages_that_were_skipped_are_named() -> None:
    report = [
        {"name": "torch", "version": "2.9.0", "vulns": []},
        {"name": "studio", "skip_reason": "distribution marked as editable"},
        {"name": "local", "skip_reason": "Dependency not found on PyPI and could not be audited: local (1.0+cpu)"},
    ]
    assert skipped(report) == [
        "NOT AUDITED: local: Dependency not found on PyPI and could not be audited: local (1.0+cpu)",
        "NOT AUDITED: studio: distribution marked as editable",
    ]
