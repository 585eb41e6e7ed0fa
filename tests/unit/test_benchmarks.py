"""What a benchmark prints, and how `make bench` makes one line of all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import report as reporting
from benchmarks.report import Report

ON = {"processor": "this one", "threads": 2, "torch": "2", "gemm_fp32_gflops": 100, "gemm_bf16_gflops": 200}


def test_a_report_ends_with_a_line_of_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "_SIDE", 8)
    report = Report("tried")
    report.table("A title", ["what", "ms"], [["this", "1.5"]])
    report.figure("this_ms", 1.23456)
    report.ratio("this_over_that", 20.0001)
    report.close()
    *_, last = lines = capsys.readouterr().out.splitlines()
    assert lines[1:6] == ["A title", "", "| what | ms |", "| --- | --- |", "| this | 1.5 |"]
    answer = json.loads(last)
    assert answer["benchmark"] == "tried"
    assert answer["figures"] == {"this_ms": 1.235}
    assert answer["ratios"] == {"this_over_that": 20.0}
    rates = {f"gemm_{precision}_gflops" for precision in reporting.precisions()}
    assert rates <= {"gemm_fp32_gflops", "gemm_bf16_gflops"}
    assert answer["machine"].keys() == {"processor", "threads", "torch"} | rates


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="a_over_b is"):
        Report("tried").ratio("a_over_b", value)


def test_a_name_is_given_once() -> None:
    report = Report("tried")
    report.ratio("a_over_b", 1.0)
    with pytest.raises(ValueError, match="a_over_b was noted already"):
        report.ratio("a_over_b", 2.0)


def _answer(benchmark: str, gemm: int, **ratios: float) -> dict[str, object]:
    return {"benchmark": benchmark, "machine": {**ON, "gemm_fp32_gflops": gemm}, "figures": {}, "ratios": ratios}


def test_all_ratios_are_in_one_line() -> None:
    answers = [_answer("one", 90, a=1.0), _answer("two", 120, b=2.0), _answer("three", 100, c=3.0)]
    assert bench.merged(answers) == {"machine": ON, "ratios": {"a": 1.0, "b": 2.0, "c": 3.0}}


def test_two_ratios_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two has the same ratio names as another script: a"):
        bench.merged([_answer("one", 100, a=1.0), _answer("two", 100, a=2.0)])


def test_a_script_that_fails_fails_the_run_and_the_others_go_on(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "benchmarks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "good.py").write_text(f"print('a table')\nprint({json.dumps(_answer('good', 100, a=1.0))!r})")
    (package / "bad.py").write_text("print('half a table')\nraise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert bench.main(["bad", "good"]) == 1
    printed, said = capfd.readouterr()
    assert said.splitlines()[-1] == "failed: bad"
    assert "half a table" in printed and "a table" in printed
    assert json.loads(printed.splitlines()[-1]) == {"machine": ON, "ratios": {"a": 1.0}}
    assert bench.main(["good"]) == 0


def test_every_script_is_there_and_takes_quick() -> None:
    folder = Path(bench.__file__).parent
    for script in bench.SCRIPTS:
        assert '"--quick"' in (folder / f"{script}.py").read_text(), script
