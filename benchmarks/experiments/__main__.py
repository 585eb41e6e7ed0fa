"""Run a protocol file on a running service.

    python -m benchmarks.experiments benchmarks/experiments/digits.yaml

It writes the raw values as CSV and the results as Markdown. A second call with the same file takes
up the same experiment. With `--seeds` it runs some of the seeds, and adds them to the CSV.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.experiments.protocol import Protocol
from benchmarks.experiments.run import run
from cli.remote.service import service
from colt_client import ColtError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="the protocol, a YAML file")
    parser.add_argument("--url", help="address of the service; default: that of this machine")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of what is written; default: results")
    parser.add_argument("--seeds", type=int, nargs="+", default=(), help="those to run now; default: the protocol's")
    asked = parser.parse_args()
    try:
        with service(asked.url) as client:
            client.check_ready()
            for path in run(client, Protocol.read(asked.file), asked.out, asked.seeds):
                print(path)
    except (ColtError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
