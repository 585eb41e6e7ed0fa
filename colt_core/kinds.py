"""Kinds of frameworks, samplers, probes and analyses, and registries of them.

A kind is one settings class and one implementation. Validation, the API and the dashboard need only
the settings class, so it imports no torch. The implementation is imported when a run needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from enum import Enum
from importlib import import_module
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, ConfigDict, WithJsonSchema
from pydantic.fields import FieldInfo

from colt_core.numbers import WithNumbers


class Settings(WithNumbers):
    """The settings of one kind. The first paragraph of a subclass's docstring is its summary.

    Attributes:
        kind: its name in configurations.
        title: its name for people.
        implementation: `module:name` of the class or function that does the work.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]
    title: ClassVar[str]
    implementation: ClassVar[str]

    @classmethod
    def summary(cls) -> str:
        """What the kind is: the docstring's first paragraph."""
        return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())

    @classmethod
    def load(cls) -> Any:
        """The implementation. The first call may import torch."""
        module, _, name = cls.implementation.partition(":")
        return getattr(import_module(module), name)


S = TypeVar("S", bound=Settings)


class Registry(Mapping[str, type[S]], Generic[S]):
    """The settings classes of one noun by kind, in order of registration.

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
            TypeError: when the class does not say what every kind must.
        """
        if lacking := [name for name in ("kind", "title", "implementation") if not hasattr(cls, name)]:
            raise TypeError(f"{cls.__name__} is a {self.noun}, and does not say its {', '.join(lacking)}")
        if self._classes.setdefault(cls.kind, cls) is not cls:
            raise ValueError(f"there is a {self.noun} '{cls.kind}' already: {self._classes[cls.kind].__qualname__}")
        return cls

    def __getitem__(self, kind: str) -> type[S]:
        return self._classes[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


def unknown_kind(registry: Registry[Any], given: Any) -> str:
    """The message about a kind that is not registered."""
    near = get_close_matches(given, registry, n=1) if isinstance(given, str) else []
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"Unknown {registry.noun} {given!r:.60}.{hint} Choose one of {', '.join(registry)}"


def name_of(registry: Registry[Any]) -> Any:
    """A type for the name of one of the registry's kinds."""

    def registered(kind: str) -> str:
        if kind not in registry:
            raise ValueError(unknown_kind(registry, kind))
        return kind

    return Annotated[str, AfterValidator(registered), WithJsonSchema({"type": "string", "enum": list(registry)})]


def readers(registry: Registry[Any], name: str) -> list[str]:
    """The kinds that read a setting."""
    return [kind for kind, cls in registry.items() if name in cls.model_fields]


class FieldMark(Enum):
    """Marks a field in its annotation, as in `Annotated[int, FieldMark.EPOCHS]`."""

    FREE_AT_RESUME = "free at resume"
    """A resumed run may have another value. It names or places the run, but changes no result."""

    FROM_FIRST_ROUND = "from the first round on"
    """It changes nothing before the first sampling round. This holds for all settings of samplers."""

    EPOCHS = "epochs"
    """A number of epochs. A preset's value scales with the length of the user's run."""

    EPOCH_MOMENTUM = "epoch momentum"
    """A momentum m of averages over epochs. A preset's m becomes m ** (old length / new length).

    After the same share of the run, the first value then has the same weight in the average.
    """


def has_mark(field: FieldInfo, mark: FieldMark) -> bool:
    """Whether a model's field has the mark."""
    return mark in field.metadata
