"""What pytest says beyond its own: what could not run and why, and the services' logs beside a
failure."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.missing import in_ci
from tests.support.processes import WATCHED


def _skipped(reporter: pytest.TerminalReporter) -> list[tuple[str, str]]:
    reports = reporter.stats.get("skipped", [])
    return [(report.nodeid, str(report.longrepr[2]).removeprefix("Skipped: ")) for report in reports]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = _skipped(terminalreporter)
    if skipped:
        terminalreporter.section("could not run", yellow=True)
        for test, reason in skipped:
            terminalreporter.write_line(f"{test}: {reason}")
    else:
        terminalreporter.write_line("Nothing was left out: every collected test ran.")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if in_ci() and exitstatus == pytest.ExitCode.OK and reporter is not None and _skipped(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for process in WATCHED:
            report.sections.append((f"last lines of {process.name}", process.tail()))
    return report
