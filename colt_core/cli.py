"""The command line `python -m colt_core`, which needs no service."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from colt_core.analyses.kinds import AnalysisSettings, analyses
from colt_core.cli_data import Unusable, add_data_options, is_follower, open_data, open_evaluated
from colt_core.config import PretrainConfig
from colt_core.data import DataError, ImagePool

_INTERRUPTED = 130  # exit status of a process that Ctrl-C ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 unusable input, 130 interrupted after saving a checkpoint.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
        return status
    except (Unusable, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m colt_core",
        description="COLT: self-supervised learning on long-tailed images with the help of out-of-distribution ones.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="pretrain an encoder, then test it with a linear probe",
        description="Pretrain an encoder, then print its accuracy class by class. Ctrl-C saves a checkpoint first.",
        epilog="A start: write 'preset: digits' to digits.yaml, then "
        "'python -m colt_core train digits.yaml --data digits --imbalance-ratio 20 --pool glyphs-and-patches'.",
    )
    train.add_argument("config", type=Path, metavar="CONFIG.yaml", help="settings by name; a preset fills the rest")
    add_data_options(train)
    train.add_argument(
        "--evaluate-on", metavar="DATA", help="labelled images for the linear probe (default: those of --data)"
    )
    train.add_argument("--out", type=Path, default=Path("colt-run"), metavar="DIR", help="results (default: colt-run)")
    begins = train.add_mutually_exclusive_group()
    begins.add_argument("--resume", type=Path, metavar="CHECKPOINT.pt", help="resume this run from its checkpoint")
    begins.add_argument(
        "--start-from", type=Path, metavar="CHECKPOINT.pt", help="begin a new run with the weights of another one"
    )
    train.set_defaults(command=_train)

    analyze = commands.add_parser(
        "analyze",
        help="analyse the feature space of a checkpoint",
        description="Run one analysis of a checkpoint and print the result as JSON. Needs the data of the run.",
    )
    analyze.add_argument("checkpoint", type=Path, metavar="CHECKPOINT.pt")
    analyze.add_argument("--kind", required=True, choices=list(analyses))
    analyze.add_argument("--settings", default="{}", metavar="YAML", help="such as '{num_views: 4, seed: 1}'")
    add_data_options(analyze)
    analyze.set_defaults(command=_analyze)
    return parser


def _train(arguments: argparse.Namespace) -> int:
    config = read_config(arguments.config)
    _refuse_to_overwrite(arguments.out / "checkpoint.pt", arguments.resume)
    dataset, pool = open_data(arguments)
    evaluated = open_evaluated(arguments, dataset.image_size)

    from colt_core.run import (  # imports torch, which --help and a misspelt setting need not wait for
        per_class_table,
        run_to_folder,
    )
    from colt_core.training.checkpoint import load_checkpoint
    from colt_core.training.divergence import TrainingDiverged

    stop = _Interrupt()
    try:
        state, start = (
            None if path is None else load_checkpoint(path) for path in (arguments.resume, arguments.start_from)
        )
        evaluation = run_to_folder(
            config,
            dataset,
            pool,
            arguments.out,
            evaluate_on=evaluated,
            resume_from=state,
            start_from=start,
            should_stop=stop.asked,
        )
    except (ValueError, OSError, TrainingDiverged) as error:
        raise Unusable(str(error)) from error
    finally:
        stop.forget()
    if is_follower():
        return 0
    if evaluation is None and stop.asked():
        print(f"Interrupted. Continue with --resume {arguments.out / 'checkpoint.pt'}")
        return _INTERRUPTED
    labelled = evaluated or dataset
    if evaluation is None or isinstance(labelled, ImagePool):
        print(f"Saved in {arguments.out}: checkpoint.pt, metrics.jsonl. Without labels there was nothing to evaluate.")
        return 0
    print(per_class_table(evaluation, labelled.class_names))
    print(f"Saved in {arguments.out}: checkpoint.pt, metrics.jsonl, evaluation.json")
    return 0


def _analyze(arguments: argparse.Namespace) -> int:
    try:
        settings = yaml.safe_load(arguments.settings)
        if not isinstance(settings, dict):
            raise Unusable(f"--settings {arguments.settings}: must be settings by name, such as '{{seed: 1}}'")
        config = AnalysisSettings.model_validate({**settings, "kind": arguments.kind})
    except yaml.YAMLError as error:
        raise Unusable(f"--settings {arguments.settings} is not YAML") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise Unusable(f"--settings: {'; '.join(lines)}") from error
    dataset, pool = open_data(arguments)

    from colt_core.analyses.run import analyze
    from colt_core.training.checkpoint import load_checkpoint

    try:
        print(analyze(config, load_checkpoint(arguments.checkpoint), dataset, pool).model_dump_json())
    except (ValueError, OSError) as error:
        raise Unusable(str(error)) from error
    return 0


def _refuse_to_overwrite(held: Path, resumed: Path | None) -> None:
    """Refuse an output folder with a run in it, unless that run is resumed."""
    if held.exists() and (resumed is None or not resumed.exists() or not held.samefile(resumed)):
        raise Unusable(f"{held.parent} holds a run already: choose another --out, or --resume its checkpoint.pt")


class _Interrupt:
    """Notes the first Ctrl-C for the training loop. A second one ends the process as usual."""

    def __init__(self) -> None:
        self._asked = False
        self._before = signal.signal(signal.SIGINT, self._note)

    def asked(self) -> bool:
        return self._asked

    def forget(self) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: Any) -> None:
        self._asked = True
        self.forget()


def read_config(path: Path) -> PretrainConfig:
    """Read a configuration from a YAML file."""
    try:
        settings = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise Unusable(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Unusable(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise Unusable(f"{path} must hold settings by name, such as 'epochs: 100'")
    try:
        return PretrainConfig.resolve(settings)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()]
        raise Unusable(f"{path} cannot be used:\n" + "\n".join(lines)) from error
