"""Every setting of the service, read from the environment (or `.env`) in one place.

No code outside this module checks whether the service runs on one machine or several.
"""

from __future__ import annotations

import ipaddress
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LEAST_SECRET = 16
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+")
_KEPT = re.compile(r"every|last|every:([2-9]|[1-9][0-9]{1,8})")
# The first parts of the service's own addresses. With such a root path, a path could mean either.
_OWN = {"api", "assets", "docs", "guide", "healthz", "readyz", "metrics", "openapi.json", "swagger-ui", "favicon.svg"}
_OWN |= {"index.html", "jobs", "compare", "experiments", "datasets", "pools", "workers"}


class Settings(BaseSettings):
    """The `COLT_*` variables. Addresses that may contain a password are never shown in logs."""

    model_config = SettingsConfigDict(
        env_prefix="COLT_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address the API binds to. Any address but loopback needs a token.")
    port: int = Field(8000, ge=1, le=65_535)
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Other names that clients may use for this server (Host header), comma-separated. Needs a token.",
    )
    home: Path = Field(Path(".colt"), description="Data folder of this machine.")
    database_url: SecretStr = Field(SecretStr(""), description="Default: SQLite in the data folder.")
    broker_url: SecretStr = Field(SecretStr(""), description="Default: files in the data folder.")
    artifacts_url: str = Field(
        "", description="A folder, or an fsspec URL such as s3://bucket/prefix. Default: in the data folder."
    )
    data_roots: Annotated[list[Path], NoDecode] = Field(
        [], description=f"Folders on the server from which data may be registered, separated by '{os.pathsep}'."
    )

    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: text on a terminal, JSON lines elsewhere."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG also logs read requests."
    )

    session_seconds: float = Field(43_200, gt=0, description="How long a sign-in to the dashboard lasts.")
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        [],
        description="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed, comma-separated.",
    )
    root_path: str = Field(
        "", description="Path under which a proxy publishes the service, such as /colt. Default: the whole host."
    )
    header_seconds: float = Field(20, gt=0, description="How long the headers of a request may take to arrive.")
    max_connections: int = Field(800, ge=1, description="Most connections to the API at once.")
    max_connections_per_address: int = Field(
        200, ge=1, description="Most of them from one address, unless it is a trusted proxy."
    )
    idempotency_seconds: float = Field(86_400, gt=0, description="How long an Idempotency-Key is remembered.")

    max_upload_bytes: int = Field(20 * 2**30, ge=1)
    upload_quota_bytes: int = Field(200 * 2**30, ge=1, description="Most bytes of all stored uploads together.")
    upload_expire_seconds: float = Field(
        7 * 86_400, gt=0, description="Age at which an upload is removed that no registration has used since."
    )
    upload_least_rate: float = Field(
        8192, ge=0, description="Bytes per second below which an upload is given up; 0 allows any rate."
    )
    upload_grace_seconds: float = Field(
        30, gt=0, description="Time before the rate of an upload counts, and over which it is averaged."
    )
    uploads_per_client: int = Field(3, ge=1, description="Most uploads at once with one token, or from one address.")
    max_images: int = Field(5_000_000, ge=1, description="Most images in one data set or pool.")
    max_entries: int = Field(
        10_000_000, ge=1, description="Most files, folders and links that a registration looks at in a server folder."
    )
    registration_seconds: float = Field(
        21_600, gt=0, description="How long one registration may take. A longer one fails."
    )
    small_bytes: int = Field(
        256 * 2**20, ge=0, description="A registration of at most this many bytes passes larger ones."
    )
    max_queued: int = Field(
        1000, ge=1, description="Most pieces of work of one kind that may wait in the queue for one token."
    )
    score_max_images: int = Field(10_000, ge=1, le=100_000, description="Most images that one request can have scored.")
    score_max_bytes: int = Field(256 * 2**20, ge=1, description="Most bytes of their upload.")
    score_warm_seconds: float = Field(
        60, ge=0, description="How long a worker keeps the model that scored last, for the next request."
    )
    score_keep_seconds: float = Field(86_400, gt=0, description="How long scores of unseen images can be read.")
    torch_threads: int = Field(0, ge=0, description="Threads of a training process; 0 leaves it to torch.")
    jobs_side_by_side: Literal["auto"] | Annotated[int, Field(ge=1, le=8)] = Field(
        "auto",
        description="Jobs that a worker on a CPU runs at once if several wait. auto: one for each core if a short "
        "measurement finds that quicker.",
    )

    lock_timeout_seconds: float = Field(
        5, gt=0, description="How long a request waits for a lock in the database before the answer is 503."
    )
    statement_timeout_seconds: float = Field(
        15, gt=0, description="How long one query of a request may run on Postgres before the answer is 503."
    )

    worker_address: str = Field(
        "", description="IP address at which other workers reach this one. Default: the one towards the database."
    )

    lease_seconds: float = Field(30, gt=0, description="A worker that is silent for this long loses its work.")
    poll_seconds: float = Field(1, gt=0, description="How often a supervisor checks for a cancel request.")
    reconcile_seconds: float = Field(5, gt=0, description="How often a worker checks for lost and waiting work.")
    stop_grace_seconds: float = Field(60, gt=0, description="Time a cancelled training has to write its checkpoint.")
    patience_seconds: float = Field(
        120, gt=0, description="How long running work waits for a database or artifact store that is down or full."
    )
    max_attempts: int = Field(
        3, ge=1, description="Attempts in a row without a new checkpoint or result, after which work fails permanently."
    )
    keep_checkpoints: int = Field(
        3, ge=1, description="Latest checkpoints of a job to keep. Those with an evaluation or analysis are also kept."
    )
    keep_round_scores: str = Field(
        "every",
        description="Sampling rounds whose scores of the pool are kept: every, every:N (each N-th), or last. The last "
        "round's are always kept, and figures and picks of all.",
    )
    orphan_seconds: float = Field(86_400, gt=0, description="Age at which files that no row names are removed.")

    public_url: str = Field("", description="Where people reach this service, for links in what it sends elsewhere.")
    mlflow_url: SecretStr = Field(SecretStr(""), description="MLflow tracking server that jobs are mirrored to.")
    mlflow_token: SecretStr = Field(SecretStr(""), description="Bearer token for it.")
    mlflow_experiment: str = Field("COLT", min_length=1, description="MLflow experiment that the runs are in.")
    tensorboard_dir: Path | None = Field(None, description="Folder that jobs are mirrored to as event files.")
    webhook_url: SecretStr = Field(SecretStr(""), description="Gets a request when a job or an experiment ends.")
    webhook_secret: SecretStr = Field(SecretStr(""), description="Key of the webhook's signature.")
    webhook_allow_private: bool = Field(
        False, description="Whether the webhook may be on this machine or in a private network."
    )

    disk_floor: float = Field(
        0.05, ge=0, lt=1, description="Share of each disk that uploads, registrations and checkpoints leave free."
    )
    # What is larger than one of these needs `accept_cost`.
    large_memory_share: float = Field(0.8, gt=0, description="Of a worker's memory, or of a GPU's, for a job.")
    large_stored_bytes: int = Field(50 * 2**30, ge=1, description="Checkpoints kept, and rows, of a job.")
    large_written_bytes: int = Field(2**40, ge=1, description="Checkpoints of a job, kept or not.")
    large_rows: int = Field(10_000_000, ge=1, description="Points of a job's curves.")
    large_counts: int = Field(10_000, ge=1, description="Checkpoints, and sampling rounds, of a job.")
    large_data_bytes: int = Field(16 * 2**30, ge=1, description="Images of a data set or pool, decoded.")
    large_data_ratio: float = Field(
        100, ge=1, description="Decoded images over the bytes of their upload, beyond the first 256 MiB."
    )

    @property
    def only_here(self) -> bool:
        """Whether only this machine can reach the API: a loopback address, and no other names."""
        if self.allowed_hosts:
            return False
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def links_begin(self) -> str:
        """The part before the paths, in links that are sent elsewhere."""
        return self.public_url.rstrip("/") or self.root_path

    @property
    def worker_silence_seconds(self) -> float:
        """Age of a heartbeat at which its worker counts as gone.

        Workers send one every `reconcile_seconds`.
        """
        return max(30.0, 3 * self.reconcile_seconds)

    @field_validator("data_roots", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("keep_round_scores", mode="after")
    @classmethod
    def _check_kept(cls, value: str) -> str:
        if not _KEPT.fullmatch(value):
            raise ValueError("neither every, nor last, nor every:N with a number N from 2 on, such as every:10")
        return value

    @field_validator("root_path", mode="after")
    @classmethod
    def _check_root_path(cls, value: str) -> str:
        path = value.rstrip("/")
        if path and not _ROOT_PATH.fullmatch(path):
            raise ValueError("not a path such as /colt: a slash, then letters, digits, '-' and '_'")
        if path and path.split("/")[1] in _OWN:
            raise ValueError("begins as an address of the service itself does; choose another, such as /colt")
        return path

    @field_validator("worker_address", mode="after")
    @classmethod
    def _check_worker_address(cls, value: str) -> str:
        if value:
            ipaddress.ip_address(value)  # its error names the value
        return value

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _check_networks(cls, value: list[str]) -> list[str]:
        for part in value:
            ipaddress.ip_network(part)  # its error names the value
        return value

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("mlflow_url", "webhook_url", mode="after")
    @classmethod
    def _check_address(cls, value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        if address and not (address.startswith(("http://", "https://")) and urlsplit(address).hostname):
            raise ValueError("not an address that begins with http:// or https://")
        return value

    @field_validator("tensorboard_dir", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _webhook_is_signed(self) -> Settings:
        if self.webhook_url.get_secret_value() and len(self.webhook_secret.get_secret_value()) < LEAST_SECRET:
            raise ValueError(f"COLT_WEBHOOK_URL needs a COLT_WEBHOOK_SECRET of at least {LEAST_SECRET} characters")
        return self

    @model_validator(mode="after")
    def _links_lead_below_root(self) -> Settings:
        if self.root_path and self.public_url and urlsplit(self.public_url).path.rstrip("/") != self.root_path:
            raise ValueError(f"COLT_PUBLIC_URL has to end with COLT_ROOT_PATH, as https://HOST{self.root_path} does")
        return self

    @model_validator(mode="before")
    @classmethod
    def _fill_from_home(cls, values: dict[str, object]) -> dict[str, object]:
        home = Path(str(values.get("home") or ".colt")).expanduser().resolve()
        values["home"] = home
        for key, default in (
            ("database_url", f"sqlite:///{home / 'colt.db'}"),
            ("broker_url", f"filesystem://{home / 'broker'}"),
            ("artifacts_url", str(home / "artifacts")),
        ):
            if not values.get(key):
                values[key] = default
        return values


@lru_cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
