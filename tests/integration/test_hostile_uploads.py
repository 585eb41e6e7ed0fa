"""Hostile files sent to the whole service: each is refused by a message for its sender, and nothing
else happens.

The service's addresses hold passwords, and its API has a token. No answer and no log holds them,
even when the service has lost its broker. No answer holds a path of the server.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from tests.support.data_files import encoded, labelled_files, png, write_tar, write_zip
from tests.support.processes import wait_until
from tests.support.servers import Postgres, Redis
from tests.support.stack import Stack, running_stack

API = "/api/v1"
PASSWORD = "correct-horse-battery-staple"
HONEST = labelled_files({"cat": 5, "dog": 5})


def _link() -> tarfile.TarInfo:
    link = tarfile.TarInfo("cat/link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return link


def _endless() -> tarfile.TarInfo:
    info = tarfile.TarInfo("cat/1.png")
    info.pax_headers = {"size": "9" * 23}
    return info


def _npz(path: Path, **arrays: Any) -> Path:
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


def _lying_npz(path: Path) -> Path:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 32, 32)})
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("images.npy", header.getvalue() + bytes(100))
        file.writestr("labels.npy", header.getvalue())
    return path


def _bomb(path: Path) -> Path:
    """Four whole images of 50 MB, all black, in 200 kB."""
    image = encoded(np.zeros((4096, 4096, 3), dtype=np.uint8), "BMP")
    return write_zip(path, [(f"{name}/{number}.bmp", image) for name in ("cat", "dog") for number in range(2)])


def _huge_image() -> bytes:
    return b"P6 20000 20000 255\n" + bytes(100)


IMAGES = np.zeros((10, 8, 8, 3), dtype=np.uint8)
HOSTILE = {
    "slip.zip": (lambda p: write_zip(p, [*HONEST.items(), ("../../escaped.png", png())]), "use relative names"),
    "slip.tar": (lambda p: write_tar(p, [*HONEST.items(), ("/var/escaped.png", png())]), "use relative names"),
    "link.tar": (lambda p: write_tar(p, [*HONEST.items(), (_link(), b"")]), "is a link"),
    "endless.tar": (lambda p: write_tar(p, [(_endless(), b"x")]), "impossible size"),
    "bomb.zip": (_bomb, "times its size"),
    "nested.zip": (lambda p: write_zip(p, [*HONEST.items(), ("cat/more.zip", b"PK")]), "archive within"),
    "huge.zip": (lambda p: write_zip(p, [*HONEST.items(), ("cat/9.ppm", _huge_image())]), "too many pixels"),
    "cut.zip": (lambda p: write_zip(p, [*HONEST.items(), ("cat/9.png", png()[:90])]), "is damaged"),
    "objects.npz": (lambda p: _npz(p, images=IMAGES, labels=np.array([{}] * 10, dtype=object)), "Python objects"),
    "shapes.npz": (lambda p: _npz(p, images=IMAGES, labels=np.arange(9) % 2), "one number for each of the 10"),
    "lying.npz": (_lying_npz, "claims the shape"),
    "text.zip": (lambda p: p.write_text("not a zip") and p, "not a zip, tar or tar.gz"),
}


def _with_password(url: str, password: str = PASSWORD) -> str:
    return url.replace("redis://", f"redis://:{password}@").replace("postgres@", f"postgres:{password}@")


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis) -> Iterator[Stack]:
    """A service whose database and broker have passwords in their addresses."""
    broker = redis_server.fresh_url()
    with redis.Redis.from_url(broker) as admin:
        admin.config_set("requirepass", PASSWORD)
    env = {"COLT_BROKER_URL": _with_password(broker)}
    try:
        with postgres.database(migrated=False) as database:
            env["COLT_DATABASE_URL"] = _with_password(database)
            with running_stack(tmp_path_factory.mktemp("stack"), "embedded", **env) as stack:
                yield stack
    finally:
        with redis.Redis.from_url(_with_password(broker)) as admin:
            admin.config_set("requirepass", "")


@pytest.mark.timeout(300)
def test_each_is_refused_and_nothing_in_events(guarded: Stack, tmp_path: Path, redis_server: Redis) -> None:
    said: list[str] = []

    def ask(method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = guarded.client.request(method, f"{API}{path}", **request)
        said.append(answer.text)
        assert answer.status_code < 500, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def register(file: Path) -> str:
        upload = ask("POST", f"/uploads?filename={file.name}", content=file.read_bytes())
        source = {"kind": "upload", "upload_id": upload["id"]}
        return str(ask("POST", "/datasets", json={"name": file.name, "source": source, "image_size": 16})["id"])

    registered = {name: register(make(tmp_path / name)) for name, (make, _) in HOSTILE.items()}
    honest = register(write_zip(tmp_path / "honest.zip", HONEST.items()))

    def over() -> bool:
        items = ask("GET", "/datasets?limit=100")["items"]
        return all(item["status"] in {"ready", "failed"} for item in items)

    wait_until(over, 200, "every registration is over")
    for name, (_, expected) in HOSTILE.items():
        shown = ask("GET", f"/datasets/{registered[name]}")
        assert (shown["status"], expected in shown["problem"]["detail"]) == ("failed", True), shown
    assert ask("GET", f"/datasets/{honest}")["status"] == "ready"
    assert not list(guarded.folder.rglob("*escaped*")) and not Path("/var/escaped.png").exists()
    kept = {path.name for path in (guarded.home / "artifacts" / "datasets").iterdir()}
    assert kept == {honest}

    # Without its broker, which gives them the most to complain about.
    broker = f"redis://127.0.0.1:{redis_server.port}"
    with redis.Redis.from_url(_with_password(broker)) as admin:
        admin.config_set("requirepass", "another")
        admin.client_kill_filter(_type="normal", skipme=True)
    try:
        wait_until(lambda: guarded.client.get("/readyz").status_code == 503, 30, "the broker is missed")
        said.append(guarded.client.get("/readyz").text)
        ask("POST", "/ood-pools", json={"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
        assert "not ready: broker" in guarded.api.output()
    finally:
        with redis.Redis.from_url(_with_password(broker, "another")) as admin:
            admin.config_set("requirepass", PASSWORD)
    logs = [path.read_text(errors="replace") for path in guarded.folder.rglob("*.log")]
    assert len(logs) >= 3
    for text in [*said, *logs]:
        assert PASSWORD not in text
    for text in said:
        for inside in (str(guarded.folder), str(tmp_path), "Traceback", "site-packages", "postgresql"):
            assert inside not in text
