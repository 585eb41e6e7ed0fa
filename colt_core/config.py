"""The configuration of a pretraining run, shared by library, API and database.

This module imports no torch, so that the API can check a job without loading it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    ModelWrapValidatorHandler,
    PositiveInt,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails

from colt_core.architectures import Architecture, Stem
from colt_core.data.groups import GroupThresholds
from colt_core.frameworks.kinds import FrameworkSettings, SimclrSettings, frameworks
from colt_core.kinds import FieldMark, Registry, Settings, readers, unknown_kind
from colt_core.numbers import WithNumbers
from colt_core.presets import MAX_EPOCHS, PRESETS, PresetName, scaled_schedule
from colt_core.refusals import MAX_EXPLAINED, problem, problems_of, unknown_setting
from colt_core.samplers.kinds import MAX_COUNT, ColtSettings, RoundSettings, SamplerSettings, samplers

Backbone = Literal["resnet10", "resnet18", "resnet34", "resnet50"]
Share = Annotated[float, Field(gt=0, lt=1)]
Temperature = Annotated[float, Field(ge=1e-4, le=10)]
K = TypeVar("K", bound=Settings)

TEMPERATURE_PERIODS = 5  # of the cosine schedule in a run
TEMPERATURES = {"temperature_low": 0.1, "temperature_high": 1.0}  # as published (Kukleva et al., ICLR 2023)

_KINDS: dict[str, Registry[Any]] = {"framework": frameworks, "sampler": samplers}


class PretrainConfig(WithNumbers):
    """Every setting of a run, resolved. Defaults are those of the released CIFAR code.

    `framework` and `sampler` hold the settings of their kind. In JSON and in keyword arguments
    everything is flat: `framework` and `sampler` are names, next to their settings and the common
    ones. A setting that nothing reads is refused.

    :meth:`resolve` builds one from a user's partial settings and a preset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: Annotated[PresetName | None, FieldMark.FREE_AT_RESUME] = Field(
        None, description="Source of the values that were not given."
    )
    framework: SerializeAsAny[InstanceOf[FrameworkSettings]] = SimclrSettings()
    sampler: SerializeAsAny[InstanceOf[SamplerSettings]] = ColtSettings()

    # Encoder
    backbone: Backbone = Field("resnet18", description="resnet10 has one basic block in each stage.")
    width: int = Field(64, ge=4, le=256, description="Channels of the first stage; 64 is the standard.")
    stem: Stem = Field("cifar", description="3x3 stride 1; 3x3 stride 2; or 7x7 stride 2 with max-pool.")
    projection_dim: int = Field(128, ge=2, le=4096)

    # Optimisation
    epochs: int = Field(2000, ge=1, le=MAX_EPOCHS)
    batch_size: int = Field(512, ge=2, le=65_536, description="Images in a step. Each gives two views.")
    temperature: Temperature = Field(
        0.2, description="tau of the contrastive loss. A lower one weighs near negatives more."
    )
    temperature_schedule: Literal["constant", "cosine"] = Field(
        "constant",
        description="cosine: the contrastive loss has a tau for each epoch, which falls and rises again five times. "
        "Tailness, the distribution-level loss and MAK keep `temperature`.",
    )
    temperature_low: Temperature | None = Field(
        None, validate_default=True, description="Only for the cosine schedule: its lowest tau. Default: 0.1."
    )
    temperature_high: Temperature | None = Field(
        None, validate_default=True, description="Only for the cosine schedule: its highest tau. Default: 1."
    )
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.5, gt=0, le=100)
    final_learning_rate: float = Field(1e-6, ge=0, le=100, description="The end of the cosine schedule.")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD momentum, or AdamW's first beta.")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="On every parameter.")
    lr_warmup_epochs: Annotated[int, FieldMark.EPOCHS] = Field(
        10, ge=0, le=MAX_COUNT, description="Linear warm-up of the learning rate, in epochs."
    )

    # Augmentation
    min_crop_scale: float = Field(
        0.1, gt=0, le=1, description="RandomResizedCrop takes at least this share of the area."
    )
    flip_probability: float = Field(0.5, ge=0, le=1, description="Horizontal flip.")
    color_jitter: float = Field(
        0.4, ge=0, le=1, description="Strength for brightness, contrast and saturation. Hue gets a quarter of it."
    )
    color_jitter_probability: float = Field(0.8, ge=0, le=1)
    grayscale_probability: float = Field(0.2, ge=0, le=1)
    blur_probability: float = Field(0.0, ge=0, le=1, description="Gaussian blur of sigma 0.1 to 2 pixels.")
    augmentation: Literal["exact", "fused"] = Field(
        "exact",
        description="fused: colour jitter and grayscale are one affine map of a pixel, clamped once. This is "
        "faster, and its views are close to the exact ones.",
    )

    # Tailness, and the clusters of the feature space for rounds and analyses
    top_k: PositiveInt | Share = Field(
        10,
        description="How many of the largest negative probabilities are summed: a number, or a share of the negatives.",
    )
    tailness_momentum: Annotated[float, FieldMark.EPOCH_MOMENTUM] = Field(
        0.97, ge=0, lt=1, description="m: share of an image's earlier tailness that each epoch keeps."
    )
    ood_in_negatives: Annotated[bool, FieldMark.FROM_FIRST_ROUND] = Field(
        True, description="Whether OOD embeddings count among a sample's negatives."
    )
    num_clusters: Annotated[int, FieldMark.FROM_FIRST_ROUND] = Field(
        10, ge=1, le=10_000, description="C: clusters of the training images' features."
    )
    kmeans_restarts: Annotated[int, FieldMark.FROM_FIRST_ROUND] = Field(10, ge=1, le=100)

    # Distribution-level loss, in batches with an OOD image
    distribution_loss_weight: Annotated[float, FieldMark.FROM_FIRST_ROUND] = Field(
        0.2, ge=0, le=1000, description="alpha: weight of the distribution-level loss. 0 leaves the term out."
    )
    distribution_denominator: Annotated[Literal["all", "cross_domain"], FieldMark.FROM_FIRST_ROUND] = Field(
        "all", description="all: every other embedding (released code). cross_domain: the other distribution's (paper)."
    )

    # Evaluation
    group_thresholds: Annotated[GroupThresholds | None, FieldMark.FREE_AT_RESUME] = Field(
        None, description="Many, Medium and Few by training counts. Default: thirds by rank."
    )

    # Running
    seed: int = Field(0, ge=0, lt=2**31)
    device: Annotated[Literal["auto", "cpu", "cuda"], FieldMark.FREE_AT_RESUME] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 if the hardware computes in it.")
    num_processes: Annotated[int, FieldMark.FREE_AT_RESUME] = Field(
        1, ge=1, le=1024, description="Data-parallel ranks. Each trains on its share of every batch."
    )
    num_hosts: Annotated[int, FieldMark.FREE_AT_RESUME] = Field(
        1, ge=1, le=64, description="Machines over which the service spreads the processes, equally many on each."
    )
    checkpoint_interval: Annotated[int, FieldMark.FREE_AT_RESUME, FieldMark.EPOCHS] = Field(
        10, ge=1, le=MAX_COUNT, description="Epochs between two checkpoints. The last epoch always has one."
    )

    @classmethod
    def resolve(cls, settings: Mapping[str, Any]) -> Self:
        """Complete a user's partial settings from their preset, if any, and the defaults.

        A preset's schedule (rounds, learning-rate warm-up, averages over epochs) was chosen for its
        number of epochs. If the user sets `epochs`, those parts of the schedule that are not given
        scale with it.

        Raises:
            pydantic.ValidationError: for an unknown key or preset, a value out of range, or a
                setting that the chosen framework or sampler does not read.
        """
        chosen = _chosen(settings)
        preset = PRESETS.get(settings["preset"], {}) if isinstance(settings.get("preset"), str) else {}
        framework = chosen["framework"]
        changes = {} if framework is None else framework.preset_changes(preset, settings)
        fields = {
            name: field for model in (cls, *_given_flat(settings, chosen).values()) for name, field in _fields(model)
        }
        base = {name: field.default for name, field in fields.items()}
        base |= {name: value for name, value in {**preset, **changes}.items() if name in fields}
        return cls.model_validate({**base, **scaled_schedule(base, fields, settings), **settings})

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> Self:
        """Read what this or an older version wrote to a database row or a checkpoint.

        Older versions stored every setting, even those that the run's framework and sampler do not
        read. Those are left out here.

        Raises:
            pydantic.ValidationError: for values that no version has written.
        """
        chosen = _chosen(values)
        known = {name for registry in _KINDS.values() for model in registry.values() for name in model.model_fields}
        kept = {name: value for name, value in values.items() if name not in known or name in cls.model_fields}
        if (framework := chosen["framework"]) is not None:
            kept |= framework.stored_settings(values)
        if (sampler := chosen["sampler"]) is not None:
            kept |= {name: values[name] for name in sampler.model_fields if name in values}
        return cls.model_validate(kept)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A validated copy with some settings changed, by their flat names.

        Settings that a new framework or sampler does not read are left out.

        Raises:
            pydantic.ValidationError: as for `resolve`.
        """
        changes = dict(update or {})
        own = self.model_dump()
        kept = {name: own[name] for name in type(self).model_fields}
        for noun, model in _given_flat(changes, _chosen(own | changes)).items():
            before = type(getattr(self, noun)).model_fields
            shared = {name for name in model.model_fields if name in before}
            # BCL's prune_share may be None, SDCLR's may not: it is not the same setting.
            kept |= {
                name: own[name] for name in shared if before[name].annotation == model.model_fields[name].annotation
            }
        return self.model_validate(kept | changes)

    @property
    def rounds(self) -> RoundSettings:
        """The settings of sampling rounds.

        Raises:
            ValueError: if the sampler has no rounds.
        """
        if not isinstance(self.sampler, RoundSettings):
            raise ValueError(f"sampler '{self.sampler.kind}' has no sampling rounds")
        return self.sampler

    def round_epochs(self) -> range:
        """The 1-based epochs that begin with a sampling round."""
        return self.sampler.round_epochs(self.epochs)

    def free_at_resume(self) -> set[str]:
        """The settings that may change when a run is resumed."""
        models: tuple[type[BaseModel], ...] = (type(self), type(self.framework), type(self.sampler))
        return {
            name for model in models for name, field in _fields(model) if FieldMark.FREE_AT_RESUME in field.metadata
        }

    @property
    def processes_per_host(self) -> int:
        """The processes on each of the run's machines."""
        return max(1, self.num_processes // self.num_hosts)

    @property
    def architecture(self) -> Architecture:
        """The settings that decide whose weights fit the backbone."""
        return Architecture(self.backbone, self.width, self.stem)

    def encoder_problems(self, start: Architecture) -> list[tuple[str, str]]:
        """Why this run cannot begin with the weights of a backbone.

        Returns:
            (field, what to change) pairs; empty if the weights fit.
        """
        pairs = zip(Architecture._fields, self.architecture, start, strict=True)
        return [
            (name, f"{own!r} does not fit the weights to start from: set {theirs!r}")
            for name, own, theirs in pairs
            if own != theirs
        ]

    def data_problems(self, num_train: int, num_pool: int | None) -> list[tuple[str, str]]:
        """Problems of this configuration with data of these sizes.

        Args:
            num_train: images in the training part.
            num_pool: images in the OOD pool, or None without one.

        Returns:
            (field, what to change) pairs; empty if the run is possible.
        """
        problems = []
        if self.batch_size > num_train:
            problems.append(("batch_size", f"{self.batch_size} is more than the {num_train} training images"))
        if self.batch_size < 2 * self.num_processes:
            fewer = f"{self.num_processes} processes get fewer than 2 images each of batch_size {self.batch_size}"
            problems.append(("num_processes", fewer))
        if self.num_processes % self.num_hosts:
            unequal = f"{self.num_hosts} hosts cannot share {self.num_processes} processes equally"
            problems.append(("num_hosts", f"{unequal}: let num_processes be a multiple of it"))
        problems += self.sampler.data_problems(num_pool, self.projection_dim)
        if self.sampler.picks and self.num_clusters > num_train:
            problems.append(("num_clusters", f"{self.num_clusters} is more than the {num_train} training images"))
        longest = num_train + self.sampler.added_images()
        if self.epochs * -(-longest // self.batch_size) > MAX_COUNT:
            problems.append(
                ("epochs", f"{self.epochs} epochs of up to {longest} images have {MAX_COUNT + 1} steps or more")
            )
        return problems

    @model_validator(mode="wrap")
    @classmethod
    def _of_flat_settings(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Sort flat settings by their readers, and report all problems at once."""
        if not isinstance(values, dict):
            return handler(values)
        common = {name: values[name] for name in values if name in cls.model_fields and name not in _KINDS}
        problems: list[InitErrorDetails] = []
        chosen = _chosen(values)
        for noun, registry in _KINDS.items():
            model = chosen[noun]
            if model is None:
                problems.append(problem(noun, unknown_kind(registry, values[noun]), values[noun]))
                continue
            given = values.get(noun)
            if isinstance(given, Settings):
                common[noun] = given
                continue
            own = {name: values[name] for name in model.model_fields if name in values}
            try:
                common[noun] = model.model_validate(own)
            except ValidationError as error:
                problems += problems_of(error)
        problems += _unread_settings(cls, values, chosen)
        try:
            made = handler(common)
        except ValidationError as error:
            problems += problems_of(error)
        else:
            if not problems:
                conflicts = [
                    *made._temperature_conflicts(),
                    *made.framework.conflicts(made.projection_dim),
                    *made.sampler.conflicts(made.epochs),
                ]
                problems += [problem(name, what, values.get(name)) for name, what in conflicts]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return made

    @field_validator("temperature_low", "temperature_high")
    @classmethod
    def _bounds_a_cosine(cls, bound: float | None, info: ValidationInfo) -> float | None:
        if info.data.get("temperature_schedule") == "cosine":
            return TEMPERATURES[str(info.field_name)] if bound is None else bound
        if bound is not None:
            raise ValueError("only temperature_schedule 'cosine' reads it: leave it out, or set 'cosine'")
        return None

    def _temperature_conflicts(self) -> Iterator[tuple[str, str]]:
        if self.temperature_schedule == "constant":
            return
        assert self.temperature_low is not None and self.temperature_high is not None
        if self.temperature_low > self.temperature_high:
            yield "temperature_low", f"must be at most temperature_high, {self.temperature_high}"
        if self.epochs < 2 * TEMPERATURE_PERIODS:
            yield (
                "temperature_schedule",
                f"'cosine' has {TEMPERATURE_PERIODS} periods of at least 2 epochs, and this run has {self.epochs}: "
                f"set epochs to {2 * TEMPERATURE_PERIODS} or more, or choose 'constant'",
            )

    @model_serializer(mode="wrap")
    def _flat(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name, value in handler(self).items():
            flat |= {name: getattr(self, name).kind, **value} if name in _KINDS else {name: value}
        return flat


def settings_read(settings: Mapping[str, Any]) -> set[str]:
    """The names of the settings that a run of this framework and sampler reads.

    Args:
        settings: a user's partial settings, flat. A kind that is unknown reads none of its own.
    """
    models: list[type[BaseModel]] = [PretrainConfig]
    models += [model for model in _chosen(settings).values() if model is not None]
    return {name for model in models for name in model.model_fields}


def config_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON schema of a configuration's flat form, with the settings of all registered kinds."""
    schema = common_schema(ref_template)
    common = schema["properties"]
    properties = {"preset": common.pop("preset")}
    for noun, registry in _KINDS.items():
        default = PretrainConfig.model_fields[noun].default.kind
        properties[noun] = {"type": "string", "enum": list(registry), "default": default}
        properties |= _settings_of_kinds(noun, registry)
    schema["properties"] = properties | common
    return schema


def common_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON schema of the settings that every run reads, whatever its framework and sampler."""
    fields: dict[str, Any] = {name: (field.annotation, field) for name, field in _fields(PretrainConfig)}
    common: type[BaseModel] = create_model("CommonSettings", **fields)
    return common.model_json_schema(ref_template=ref_template)


def _settings_of_kinds(noun: str, registry: Registry[Any]) -> dict[str, Any]:
    """JSON schemas of the settings of a registry's kinds. Descriptions begin with their readers."""
    properties: dict[str, Any] = {}
    for model in registry.values():
        for name, own in model.model_json_schema().get("properties", {}).items():
            if name not in properties:
                description = f"Read by {noun} {', '.join(readers(registry, name))}. {own.get('description', '')}"
                properties[name] = own | {"description": description.strip()}
    return properties


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """A model's settings, except `framework` and `sampler`."""
    return ((name, field) for name, field in model.model_fields.items() if name not in _KINDS)


def _chosen(values: Mapping[str, Any]) -> dict[str, type[Any] | None]:
    """The settings classes of the framework and the sampler that are named. Unknown: None."""
    chosen: dict[str, type[Any] | None] = {}
    for noun, registry in _KINDS.items():
        given = values.get(noun, PretrainConfig.model_fields[noun].default)
        if isinstance(given, Settings):
            chosen[noun] = type(given)
        else:
            chosen[noun] = registry.get(given) if isinstance(given, str) else None
    return chosen


def _given_flat(values: Mapping[str, Any], chosen: Mapping[str, type[Any] | None]) -> dict[str, type[Any]]:
    """The chosen classes whose settings are flat in the values, not an object of the class."""
    return {
        noun: model
        for noun, model in chosen.items()
        if model is not None and not isinstance(values.get(noun), Settings)
    }


def _unread_settings(
    common: type[BaseModel], values: Mapping[str, Any], chosen: Mapping[str, type[Any] | None]
) -> Iterator[InitErrorDetails]:
    """A problem for each setting that nothing in this run reads."""
    flat = _given_flat(values, chosen)
    read = {name for model in (common, *flat.values()) for name in model.model_fields}
    undecided = {
        name
        for noun, model in chosen.items()
        if model is None
        for kind in _KINDS[noun].values()
        for name in kind.model_fields
    }
    unread = (name for name in values if name not in read | undecided)
    for number, name in enumerate(unread):
        value = values[name]
        if number >= MAX_EXPLAINED:  # comparing names takes time, and nobody reads so many
            yield problem(name, unknown_setting(name, ()), value)
            continue
        given = [noun for noun, model in chosen.items() if model and noun not in flat and name in model.model_fields]
        if given:
            yield problem(name, f"{given[0]} is given as an object: set it there", value)
            continue
        owners = {noun: kinds for noun, registry in _KINDS.items() if (kinds := readers(registry, name))}
        if not owners:
            yield problem(name, unknown_setting(name, read), value)
            continue
        reasons = [
            f"only {noun} {' or '.join(repr(kind) for kind in kinds)} reads it, and this run's is '{model.kind}'"
            for noun, kinds in owners.items()
            if (model := chosen[noun]) is not None
        ]
        yield problem(name, f"{'; '.join(reasons)}: leave it out", value)
