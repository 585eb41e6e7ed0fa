"""Kinds of things that a run can be made of: frameworks, samplers, probes, analyses.

A kind is one settings class and one implementation. The settings class is all that validation, the API and the
dashboard need, so it imports no torch. The implementation is imported when a run needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Settings(BaseModel):
    """The settings of one kind. The first sentence of a subclass's docstring is its summary.

    Attributes:
        kind: its name in configurations.
        title: its name for people.
        implementation: `module:name` of what does the work.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]
    title: ClassVar[str]
    implementation: ClassVar[str]

    @classmethod
    def summary(cls) -> str:
        """What the kind is, in a sentence."""
        return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())

    @classmethod
    def load(cls) -> Any:
        """The implementation. The first call may import torch."""
        module, _, name = cls.implementation.partition(":")
        return getattr(import_module(module), name)


S = TypeVar("S", bound=Settings)


class Registry(Mapping[str, type[S]], Generic[S]):
    """The settings classes of one noun, by kind, in order of registration.

    Args:
        noun: what the kinds are, such as "framework", for messages.
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._classes: dict[str, type[S]] = {}

    def register(self, cls: type[S]) -> type[S]:
        """Add a kind; works as a decorator.

        Raises:
            ValueError: when another class has the kind's name.
        """
        if self._classes.setdefault(cls.kind, cls) is not cls:
            raise ValueError(f"there is a {self.noun} '{cls.kind}' already: {self._classes[cls.kind].__qualname__}")
        return cls

    def __getitem__(self, kind: str) -> type[S]:
        return self._classes[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


def readers(registry: Registry[Any], name: str) -> list[str]:
    """The kinds that read a setting."""
    return [kind for kind, cls in registry.items() if name in cls.model_fields]


class FieldMark(Enum):
    """What else holds for a field. It stands in the field's annotation: `Annotated[int, FieldMark.EPOCHS]`."""

    FREE_AT_RESUME = "free at resume"
    """A run may go on with another value: it names or places the run, but changes nothing that is computed."""

    EPOCHS = "epochs"
    """A number of epochs. A preset's value scales with the length that the user gives the run."""

    EPOCH_MOMENTUM = "epoch momentum"
    """A momentum m of averages over epochs. A preset's m becomes m ** (old length / new length), so that the same
    share of an average is still its first value when the same share of the run is over."""


def has_mark(field: FieldInfo, mark: FieldMark) -> bool:
    """Whether a field of a model carries the mark."""
    return mark in field.metadata
