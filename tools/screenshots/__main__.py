"""`python -m tools.screenshots` takes the pictures of the guide (`make screenshots`).

It starts a service of its own in a folder that is deleted afterwards. There it trains on bundled
images for some minutes, and photographs the dashboard in Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

from colt_client import Client, ColtError
from tools.screenshots.demo import run
from tools.screenshots.pictures import HEIGHT, PATIENCE, WIDTH, pictures, take

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START = 180.0  # seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="make screenshots", description="Take the pictures of the guide.")
    parser.add_argument("--epochs", type=int, default=60, help="epochs of each run; fewer make uglier curves")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder of the pictures")
    parser.add_argument("--only", default="", help="names of pictures, with commas between; default all")
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("Chromium is not installed (Debian: apt-get install chromium).", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with service() as client:
        demo = run(client, arguments.epochs)
        with sync_playwright() as playwright, playwright.chromium.launch(executable_path=browser) as chromium:
            page = chromium.new_page(
                base_url=client.url,
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme="light",
                reduced_motion="reduce",
                locale="en-GB",
                timezone_id="UTC",
            )
            page.set_default_timeout(PATIENCE)
            for picture in pictures(demo):
                if only and picture.name not in only:
                    continue
                path = take(page, picture, arguments.out)
                print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


@contextlib.contextmanager
def service() -> Iterator[Client]:
    """A service on a temporary home and a free port, with none of the caller's settings."""
    with tempfile.TemporaryDirectory() as home:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        env = {name: value for name, value in os.environ.items() if not name.startswith("COLT_")}
        # On the CPU, which every machine has: two devices do not give the same curves.
        env |= {"COLT_HOME": home, "COLT_PORT": str(port), "CUDA_VISIBLE_DEVICES": ""}
        env |= {"COLT_KEEP_CHECKPOINTS": "100"}  # all, for the accuracy over epochs
        # From its own folder, so that no .env is read.
        up = subprocess.Popen([sys.executable, "-m", "cli", "up"], cwd=home, env=env)
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                ready(client, up)
                yield client
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()


def ready(client: Client, up: subprocess.Popen[bytes]) -> None:
    """Wait until the service takes work.

    Raises:
        RuntimeError: it ended, or takes too long.
    """
    for _ in range(int(START)):
        try:
            client.check_ready()
        except ColtError:
            if up.poll() is not None:
                break
            time.sleep(1)
        else:
            return
    raise RuntimeError("the service did not start; its last lines are above")


if __name__ == "__main__":
    sys.exit(main())
