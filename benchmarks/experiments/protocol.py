"""A protocol file: the data of an experiment and the body of its request.

    pool: {name: ..., source: {kind: sample, name: glyphs-and-patches}, image_size: 32}
    data:
      - {name: ..., source: ..., image_size: 32, long_tail: {profile: exp, seed: 0}}
    balanced: []
    experiment: {name: ..., template: did-it-help, config: {preset: digits}, seeds: [0, 1, 2]}

`data`, `balanced` and `pool` are bodies of `POST /datasets` and `POST /ood-pools`. `experiment` is
one of `POST /experiments`, in which names of data take the place of ids. `${NAME}` is replaced by
the environment's value.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol file and what it says.

    Attributes:
        stem: name of the file, without its ending.
        text: the file as it is.
    """

    stem: str
    text: str
    data: list[Json]
    balanced: list[Json]
    pool: Json | None
    experiment: Json

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            ValueError: it has other keys than a protocol, or names a variable that is not set.
        """
        text = path.read_text("utf-8")
        filled = os.path.expandvars(text)
        if missing := re.search(r"\$\{(\w+)\}", filled):
            raise ValueError(f"{path.name} needs the environment variable {missing[1]}")
        said = yaml.safe_load(filled)
        if not isinstance(said, dict) or not said.keys() <= {"data", "balanced", "pool", "experiment"}:
            raise ValueError(f"{path.name} is no protocol: its keys are data, balanced, pool and experiment")
        return cls(
            stem=path.stem,
            text=text,
            data=said["data"],
            balanced=said.get("balanced") or [],
            pool=said.get("pool"),
            experiment=said["experiment"],
        )

    def request(self, ids: dict[str, str]) -> Json:
        """The body of `POST /experiments`.

        Args:
            ids: of the registered data, by name.
        """
        body = {**self.experiment, "dataset_ids": [ids[item["name"]] for item in self.data], "protocol": self.text}
        if self.balanced:
            body["balanced_dataset_ids"] = [ids[item["name"]] for item in self.balanced]
        if self.pool is not None:
            body["ood_pool_id"] = ids[self.pool["name"]]
        if "arms" in body:
            body["arms"] = [_with_ids(arm, ids) for arm in body["arms"]]
        return body


def _with_ids(arm: Json, ids: dict[str, str]) -> Json:
    own = dict(arm)
    if "train_on" in own:
        own["train_on"] = [ids.get(name, name) for name in own["train_on"]]
    if "ood_pool_id" in own:
        own["ood_pool_id"] = ids.get(own["ood_pool_id"], own["ood_pool_id"])
    return own
