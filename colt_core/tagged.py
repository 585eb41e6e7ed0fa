"""Settings that name their kind in JSON: `{"kind": "knn", "neighbors": 20}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from colt_core.kinds import Registry, Settings, readers, unknown_kind
from colt_core.refusals import MAX_EXPLAINED, problem, problems_of, unknown_setting

_STORED = {"stored": True}  # validation context: the values come from a database row


class TaggedSettings(Settings):
    """Settings of one kind, with `kind` as one of their values.

    A direct subclass is the abstract settings of a noun, such as `ProbeSettings`. Its constructor,
    `model_validate`, `from_stored` and fields of its type accept every registered kind.

    Attributes:
        registry: the registered kinds.
        default_kind: the kind if none is named. None: a kind is required.
    """

    registry: ClassVar[Registry[Any]]
    default_kind: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in vars(cls):  # makes it a field, so that JSON and its schema have it
            cls.__annotations__["kind"] = Literal[cls.kind]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls._is_concrete():  # pydantic removed the field's default from the class
            cls.kind = cls.model_fields["kind"].default

    def __new__(cls, *_: Any, **values: Any) -> Self:
        """The abstract class creates settings of the named kind, and `__init__` fills them."""
        if cls._is_concrete():
            return super().__new__(cls)
        return super().__new__(cls._named_in(values))

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> Self:
        """Read settings as any version wrote them into a row, without those that nothing reads.

        Raises:
            ValidationError: if there is no such kind, or a value is out of range.
        """
        return cls.model_validate(values, context=_STORED)

    def is_stored_as(self, values: Mapping[str, Any]) -> bool:
        """Whether a row of any version has settings equal to these."""
        try:
            return values.get("kind") == self.kind and type(self).from_stored(values) == self
        except ValidationError:
            return False

    @classmethod
    def _is_concrete(cls) -> bool:
        return "kind" in cls.model_fields

    @classmethod
    def _named_in(cls, values: Mapping[str, Any]) -> type[Self]:
        """The class of the kind that `values` name."""
        kind = values.get("kind", cls.default_kind)
        found: type[Self] | None = cls.registry.get(kind) if isinstance(kind, str) else None
        if found is None:
            what = unknown_kind(cls.registry, kind) if "kind" in values else "Field required"
            raise ValidationError.from_exception_data(cls.__name__, [problem("kind", what, values)])
        return found

    @classmethod
    def _of_any_kind(cls, value: Any, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("settings_type", "Input should be an object with a 'kind'")
        return cls._named_in(value).model_validate(value, context=info.context)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if cls._is_concrete():
            return handler(source)
        return core_schema.with_info_plain_validator_function(cls._of_any_kind)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if cls._is_concrete():
            return handler(schema)
        return handler(TypeAdapter(one_of(cls.registry.values())).core_schema)

    @model_validator(mode="wrap")
    @classmethod
    def _drop_unread_and_explain(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        if info.context == _STORED and isinstance(values, Mapping):
            values = {name: value for name, value in values.items() if name in cls.model_fields}
        try:
            return handler(values)
        except ValidationError as error:
            raise _explained(error, cls) from None


def one_of(models: Iterable[type[BaseModel]]) -> Any:
    """The union type of several models, with `kind` as the discriminator."""
    return Annotated[reduce(or_, models), Field(discriminator="kind")]


def _explained(error: ValidationError, cls: type[TaggedSettings]) -> ValidationError:
    """The same error, but for a setting that this kind does not read it names the kinds that do."""
    details = list(problems_of(error))
    unread = [
        position
        for position, item in enumerate(error.errors(include_url=False))
        if item["type"] == "extra_forbidden" and len(item["loc"]) == 1
    ]
    for position in unread[:MAX_EXPLAINED]:
        (name,), value = details[position]["loc"], details[position]["input"]
        details[position] = problem(name, _why_unread(str(name), cls), value)
    return ValidationError.from_exception_data(error.title, details)


def _why_unread(name: str, cls: type[TaggedSettings]) -> str:
    kinds = readers(cls.registry, name)
    if kinds:
        return f"only {cls.registry.noun} {' or '.join(map(repr, kinds))} reads it"
    return unknown_setting(name, [field for field in cls.model_fields if field != "kind"])
