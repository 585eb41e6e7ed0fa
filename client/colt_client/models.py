"""What the server answers. Written by `make client` from the OpenAPI document."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from colt_client.base import Model


class UploadInfo(Model):
    """An uploaded file that a data set or OOD pool can be registered from."""

    id: str
    filename: str
    bytes: int
    sha256: str
    created_at: dt.datetime
    used_at: dt.datetime | None
    """When a registration last named it. Null: never."""
    in_use: bool
    """Whether a registration or a score is to read it. Then it is not removed."""
    expires_at: dt.datetime
    """When it is removed, unless a registration names it before."""


class ResumableUploadInfo(Model):
    """How much of a file has arrived."""

    id: str
    """Once it is complete, also that of the upload."""
    filename: str
    bytes: int
    """Of the whole file."""
    offset: int
    """Bytes that have arrived. The next request begins there."""
    complete: bool
    """Whether `/uploads/{id}` has it, so that it can be registered."""
    expires_at: dt.datetime
    """When it is removed, unless more arrives or it is used before."""


WorkStatus = Literal["queued", "running", "cancelling", "cancelled", "failed", "succeeded"] | str

RegistrationStatus = Literal["registering", "ready", "failed"] | str


class Accepted(Model):
    """The request was accepted. Poll the address in `Location` for its progress."""

    id: str
    status: WorkStatus | RegistrationStatus


class RegistrationProblem(Model):
    """Why a registration failed."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class SplitSizes(Model):
    """Images per part. Where a class has few images, its probe images may also be training images."""

    train: int = 0
    probe: int = 0
    val: int = 0
    test: int = 0


class Groups(Model):
    """Class indices, grouped by the number of training images."""

    many: list[int]
    medium: list[int]
    few: list[int]


class DataWarning(Model):
    """One kind of finding.

    Attributes:     code: a stable word for scripts, such as `duplicates_within_train`.
    detail: one or two sentences for people: what was found, what follows, what to do.
    count: how many images, classes or files it concerns.     examples: up to MAX_EXAMPLES of
    them: names of files or classes, or indices of images.         Long names are cut off.
    """

    code: str
    detail: str
    count: int
    examples: list[str | int] = []


class DatasetInfo(Model):
    """A data set. Until it is `ready`, values that are not known yet are null."""

    id: str
    name: str
    status: RegistrationStatus
    progress: float
    problem: RegistrationProblem | None
    labels: bool
    """Whether the images have labels. If not, all that is about classes is null."""
    can_evaluate: bool
    """Whether jobs can be evaluated on it: it is ready, with labels and a test part."""
    num_samples: int | None
    """Images of all parts."""
    num_classes: int | None
    class_names: list[str] | None
    class_counts: list[int] | None
    """Images of the training part, by class."""
    probe_counts: list[int] | None
    """Images of the probe part, by class."""
    split_sizes: SplitSizes | None
    groups: Groups | None
    image_size: int | None
    layout: str | None
    """How the source was arranged. Null: not from files, or not known."""
    warnings: list[DataWarning] | None
    """What the registration found. Null: not ready, or registered by an earlier version."""
    value_range: list[int] | None
    """The values of 16-bit images that became 0 and 255. Null: there are none, or not known."""
    spec: dict[str, Any]
    """The request, without the name. Of indices that it held itself, `{count, sha256}` of the file
    that `/datasets/{dataset_id}/indices` answers.
    """
    created_at: dt.datetime


class DatasetSample(Model):
    index: int
    """Position in the whole data set. The training part comes first."""
    label: int | None
    """Null if the data set has no labels."""
    class_name: str | None
    split: Literal["train", "probe", "val", "test"] | str


class OodPoolInfo(Model):
    """An OOD pool. Until it is `ready`, values that are not known yet are null."""

    id: str
    name: str
    status: RegistrationStatus
    progress: float
    problem: RegistrationProblem | None
    num_samples: int | None
    image_size: int | None
    layout: str | None
    """How the source was arranged. Null: not from files, or not known."""
    warnings: list[DataWarning] | None
    """What the registration found. Null: not ready, or registered by an earlier version."""
    value_range: list[int] | None
    """The values of 16-bit images that became 0 and 255. Null: there are none, or not known."""
    spec: dict[str, Any]
    """The request, without the name."""
    created_at: dt.datetime


class PoolSample(Model):
    index: int


class PoolCheckInfo(Model):
    """A check of a pool."""

    id: str
    ood_pool_id: str
    dataset_id: str
    job_id: str | None
    """Of the checkpoint."""
    checkpoint_id: str | None
    """Null for a check with a backbone."""
    epoch: int | None
    """Of the checkpoint."""
    backbone_id: str | None
    """Null for a check with a checkpoint."""
    budget: int
    status: WorkStatus
    error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None


class Finding(Model):
    """One of four questions, answered in a word and in sentences."""

    about: Literal["near_duplicates", "tail", "in_distribution", "budget"] | str
    verdict: Literal["useful", "useless", "leak", "no leak"] | str
    detail: str
    """For people: what was found, by which rule, and what follows."""


class Reach(Model):
    """How near the pool comes to the classes.

    A training image is reached if a pool image is at least as similar to it as its fifth
    nearest other training image is.
    """

    expected: float
    """Share of training images that as many new images of the data's own kind would reach."""
    group: dict[str, float | None]
    """Share reached of the training images of `many`, `medium` and `few`. Null: it has none."""
    reached: list[float | None]
    """By class: the share reached. Null: it has no training images."""
    own_similarity: list[float | None]
    """By class: median cosine of a training image and the nearest other one of its class. Null
    with fewer than two images.
    """
    pool_similarity: list[float | None]
    """By class: median cosine of a training image and the nearest pool image."""
    verdict: list[Literal["useful", "useless", "leak"] | str | None]
    """By class. Useful: at least half of `expected` is reached."""


class NearDuplicate(Model):
    """A pool image and the image of the data set that it nearly equals."""

    pool_index: int
    index: int
    """Of the image in the data set."""
    part: Literal["train", "probe", "val", "test"] | str
    label: int
    similarity: float
    """Cosine of their features."""
    difference: float
    """Root mean square of the difference of the pixels, 0..255. 0: equal."""


class NearDuplicates(Model):
    """Pool images that nearly equal an image of the data set."""

    count: int
    by_part: dict[str, int]
    """The same by part of the data set. A pool image counts once."""
    exact_by_part: dict[str, int]
    """Those of them with equal pixels."""
    examples: list[NearDuplicate]
    """Those of the test part come first."""


class ClusterUse(Model):
    """A cluster of the training images, and what it would pick."""

    size: int
    tailness: float | None
    """Mean of its images. Null: it is empty."""
    few_share: float | None
    """Share of its images in the Few classes. Null: it is empty."""
    budget: int
    own_similarity: float | None
    """Mean cosine of its images and its centre. Null: it is empty."""
    pick_similarity: float | None
    """Mean cosine of its picks and its centre. Null: it picks none."""


class BudgetUse(Model):
    """What COLT would do with the budget in one sampling round."""

    budget: int
    tailness_from: Literal["checkpoint", "class_sizes"] | str
    """Scores of the checkpoint, if it was trained on this data set. Else rare classes count as
    tail.
    """
    clusters: list[ClusterUse]
    near_no_class: int
    """Picks that do not look in-distribution."""
    near_no_tail_class: int
    """Picks that do not look in-distribution, or have no image of a Few class among the five
    nearest.
    """
    near_duplicates: int
    """Picks that nearly equal an image of the data set."""


class PoolCheckResult(Model):
    """Whether a pool can help a data set."""

    verdict: Literal["useful", "useless", "leak"] | str
    """Leak if a finding is. Else useless if the tail or the budget is."""
    findings: list[Finding]
    num_train: int
    num_pool: int
    in_distribution: int
    """Pool images that look in-distribution. The finding states the rule."""
    reach: Reach
    near_duplicates: NearDuplicates
    use: BudgetUse


class PoolCheckWithResult(Model):
    """A check of a pool, with its result."""

    id: str
    ood_pool_id: str
    dataset_id: str
    job_id: str | None
    """Of the checkpoint."""
    checkpoint_id: str | None
    """Null for a check with a backbone."""
    epoch: int | None
    """Of the checkpoint."""
    backbone_id: str | None
    """Null for a check with a checkpoint."""
    budget: int
    status: WorkStatus
    error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None
    result: PoolCheckResult | None
    """Null until the status is `succeeded`."""


class WeightsUpload(Model):
    """An uploaded file of weights under torchvision's or timm's names."""

    kind: Literal["upload"]
    upload_id: str


class RandomWeights(Model):
    """The weights that a run with this seed begins with."""

    kind: Literal["random"]
    seed: int = 0


class CheckpointWeights(Model):
    """The backbone of a checkpoint of any job."""

    kind: Literal["checkpoint"]
    checkpoint_id: str


class BackboneInfo(Model):
    """A registered backbone."""

    id: str
    name: str
    status: RegistrationStatus
    problem: RegistrationProblem | None
    source: WeightsUpload | RandomWeights | CheckpointWeights | dict[str, Any]
    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50"] | str
    width: int
    """Channels of the first stage."""
    stem: Literal["cifar", "cifar-stride2", "imagenet"] | str
    mean: list[Any]
    """Of the pixels that it knows, in units of 0..1."""
    std: list[Any]
    matched_share: float | None
    """Of its weights, how many the file has. Null: not read yet, or not from a file."""
    created_at: dt.datetime


class KeyNames(Model):
    """How the names of a file fitted."""

    prefix: str
    """What was in front of its names and was taken off."""
    matched: list[str]
    """torchvision's names of the weights that it has, in the right shape."""
    missing: list[str]
    """Those that it lacks. They have random values."""
    unexpected: list[str]
    """Its names that nothing reads: the first of them, shortened."""
    num_unexpected: int


class BackboneDetails(Model):
    """A backbone, with what only its own address shows."""

    id: str
    name: str
    status: RegistrationStatus
    problem: RegistrationProblem | None
    source: WeightsUpload | RandomWeights | CheckpointWeights | dict[str, Any]
    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50"] | str
    width: int
    """Channels of the first stage."""
    stem: Literal["cifar", "cifar-stride2", "imagenet"] | str
    mean: list[Any]
    """Of the pixels that it knows, in units of 0..1."""
    std: list[Any]
    matched_share: float | None
    """Of its weights, how many the file has. Null: not read yet, or not from a file."""
    created_at: dt.datetime
    names: KeyNames | None
    """Also of a file that was refused. Null: not read, or not from a file."""


class GroupAccuracy(Model):
    many: float | None
    medium: float | None
    few: float | None


class ProbeFit(Model):
    """What a probe was fitted on.

    Attributes:     images: how many images.     images_per_class: C numbers of images.
    shots: how many images of each class were asked for; a class with fewer gave all. None:
    every image was taken.
    """

    images: int
    images_per_class: list[int]
    shots: int | None


class EvaluationInfo(Model):
    """An evaluation of a checkpoint on the data of its job, or of a backbone on a data set.

    Its results are null until the status is `succeeded`. Accuracies are in 0..1.
    """

    id: str
    job_id: str | None
    checkpoint_id: str | None
    backbone_id: str | None
    dataset_id: str | None
    """Of a backbone's evaluation. Null: those that the job evaluates on."""
    kind: Literal["linear", "few_shot", "knn"] | str
    status: WorkStatus
    error: str | None
    epoch: int | None
    """Finished epochs in the checkpoint."""
    accuracy: float | None
    """Over all test images."""
    balanced_accuracy: float | None
    """Mean of the per-class accuracies."""
    per_class_accuracy: list[float | None] | None
    """By class; null without test images."""
    group_accuracy: GroupAccuracy | None
    group_std: float | None
    """Population standard deviation of the three group accuracies. Null unless all three are
    known.
    """
    class_counts: list[int] | None
    """Training images, by class."""
    test_counts: list[int] | None
    """Test images, by class."""
    probe: ProbeFit | None
    """What the probe was fitted on. Null in results of earlier versions."""
    warnings: list[DataWarning] | None
    """Classes with too few images to trust their numbers, and leaks in the data. Null in results
    of earlier versions.
    """
    result: dict[str, Any] | None
    """Other results than accuracies, where the probe has any."""
    config: dict[str, Any]
    created_at: dt.datetime
    finished_at: dt.datetime | None


class TailShareConfig(Model):
    """Whether the images of highest tailness come from the tail classes.

    phi_tail and phi_head are the shares of tail and head among them, relative to their shares
    among all images.
    """

    kind: Literal["tail_share"]
    seed: int = 0
    gammas: list[float] = [1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    """Percentages of the training images, taken by highest tailness."""


class ClusterMinorityConfig(Model):
    """Whether clusters of high tailness are those that hold the tail classes.

    Plots tailness of k-means clusters against their share of images in the Few classes, with a
    linear fit.
    """

    kind: Literal["cluster_minority"]
    seed: int = 0
    num_clusters: int | None = None
    """Default: the run's num_clusters."""


class GroupThresholds(Model):
    """Few has fewer than `low` training images, Many more than `high`.

    The defaults are the convention of ImageNet-LT and Places-LT.
    """

    low: int = 20
    high: int = 100


class LinearProbeConfig(Model):
    """A linear classifier on frozen features, trained on the whole probe part."""

    kind: Literal["linear"]
    group_thresholds: GroupThresholds | None = None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int = 0
    protocol: Literal["fast", "sgd"] | str = "fast"
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """


class FewShotProbeConfig(Model):
    """A linear classifier on frozen features, trained on a few images of each class."""

    kind: Literal["few_shot"]
    group_thresholds: GroupThresholds | None = None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int = 0
    protocol: Literal["fast", "sgd"] | str = "fast"
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """
    shots: int | None = None
    """Images of each class; one with fewer gives all. Default: 1 % of the largest class's training
    images.
    """


class KnnProbeConfig(Model):
    """For each test image, the nearest probe images vote. Nothing is trained."""

    kind: Literal["knn"]
    group_thresholds: GroupThresholds | None = None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int = 0
    neighbors: int = 20
    """How many probe images vote."""


class MisclassificationConfig(Model):
    """Which classes a probe confuses.

    Counts a probe's wrong predictions by class, relative to balanced confusion.
    """

    kind: Literal["misclassification"]
    seed: int = 0
    probe: LinearProbeConfig | FewShotProbeConfig | KnnProbeConfig | dict[str, Any] = {
        "kind": "linear",
        "seed": 0,
        "protocol": "fast",
    }


class ConnectivityConfig(Model):
    """Share of same-class image pairs that augmentation connects, without and with OOD bridges.

    Bridges are the OOD images of the last round. A bridge connects two images if both have a
    view near one of its views.
    """

    kind: Literal["connectivity"]
    seed: int = 0
    per_class: int = 50
    """ID images of each class; a random sample if there are more."""
    num_ood: int = 1000
    """Picked OOD images that may be bridges; a random sample if there are more."""
    num_views: int = 8
    """Augmented views of each image."""
    thresholds: list[float] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    """Largest distances between normalised embeddings (0..2) at which two views are connected."""


class FeatureMapConfig(Model):
    """The feature space in two dimensions: training images and the last picked OOD images."""

    kind: Literal["feature_map"]
    seed: int = 0
    method: Literal["tsne", "pca"] | str = "tsne"
    num_samples: int = 1000
    """ID images; a sample if there are more. At most 5,000 by t-SNE."""
    sampling: Literal["even", "random"] | str = "even"
    """Which ID images. even: as many of each class, as far as it has them. random: any, as without
    labels.
    """
    num_ood: int = 500
    """Picked OOD images; a random sample if there are more."""
    num_clusters: int = 10
    """Clusters that a map is coloured by; fewer of few images."""


class UniformityConfig(Model):
    """How evenly the training images spread over the feature space.

    log mean exp(-2 |z_a - z_b|^2) over pairs of ID embeddings (Wang & Isola 2020).
    """

    kind: Literal["uniformity"]
    seed: int = 0
    num_samples: int = 5000
    """ID images; a random sample if there are more."""


class AlignmentConfig(Model):
    """How close two augmented views of an image are, by class.

    The mean |z_view1 - z_view2|^2 of two augmented views (Wang & Isola 2020).
    """

    kind: Literal["alignment"]
    seed: int = 0
    per_class: int = 200
    """ID images of each class; a random sample if there are more."""
    num_pairs: int = 4
    """Pairs of views of each image."""


class AnalysisInfo(Model):
    """An analysis of a checkpoint with the data of its job, or of a backbone with a data set.

    Embeddings of a checkpoint are outputs of its projection head, those of a backbone its
    features. Both are L2-normalised. Numbers of the two do not compare.
    """

    id: str
    job_id: str | None
    checkpoint_id: str | None
    backbone_id: str | None
    dataset_id: str | None
    """Of a backbone's analysis. Null: that of the job."""
    kind: (
        Literal[
            "tail_share",
            "cluster_minority",
            "misclassification",
            "connectivity",
            "feature_map",
            "uniformity",
            "alignment",
        ]
        | str
    )
    status: WorkStatus
    error: str | None
    epoch: int | None
    """Finished epochs in the checkpoint."""
    config: (
        TailShareConfig
        | ClusterMinorityConfig
        | MisclassificationConfig
        | ConnectivityConfig
        | FeatureMapConfig
        | UniformityConfig
        | AlignmentConfig
        | dict[str, Any]
    )
    assumed: dict[str, Any] | None
    """Settings of a run that it reads, which a backbone has not: the defaults of a job.
    `group_thresholds` null: thirds by rank. Null as a whole: those of the job.
    """
    created_at: dt.datetime
    finished_at: dt.datetime | None


class StartedFrom(Model):
    """The checkpoint whose weights a run began, or will begin, with."""

    checkpoint_id: str
    job_id: str
    """The checkpoint's job. It may have been deleted since."""
    epoch: int
    """Finished epochs in the checkpoint."""


class StartedFromBackbone(Model):
    """The backbone whose weights a run began, or will begin, with."""

    backbone_id: str
    """It may have been deleted since."""
    name: str


class Progress(Model):
    """How far the run is. `epoch` and `step` count finished ones. `steps` is 0 before the run
    begins.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    images_per_second: float | None
    eta_seconds: float | None


class Compute(Model):
    """What a run computes on, as decided at its start if the configuration says `auto`."""

    device: Literal["cpu", "cuda"] | str
    precision: Literal["bf16", "fp32"] | str
    reason: str
    """Why this precision was chosen."""
    threads: int
    """Threads for CPU operations, in each process."""
    versions: dict[str, str] | None = None
    """Versions of Python and of the packages that compute. Null: started by an earlier version."""


class JobInfo(Model):
    """A job with its latest values."""

    id: str
    name: str
    tags: list[str]
    notes: str
    status: WorkStatus
    dataset_id: str
    ood_pool_id: str | None
    evaluation_dataset_id: str | None
    """Null: evaluated on `dataset_id`."""
    config: dict[str, Any]
    """All settings that the run reads, with their values."""
    start_from: StartedFrom | StartedFromBackbone | None
    """Null: random weights."""
    beginning_job_id: str | None
    """The job that trained its epochs before the first sampling round, which are equal bit for bit
    in both. It may have been deleted since. Null: it trained them itself.
    """
    evaluations: list[Literal["linear", "few_shot", "knn"] | str]
    progress: Progress
    queue_position: int | None
    """Queued jobs that begin before it. Null if it is not queued, and in lists."""
    compute: Compute | None
    """As of the last start. Null before the first."""
    attempts: int
    """Starts since it was last queued or resumed."""
    error: str | None
    warnings: list[DataWarning]
    """What the user should know before trusting its numbers."""
    loss: float | None
    """Mean loss of the last finished epoch."""
    accuracy: float | None
    """Accuracy in the first of its `evaluations`, 0..1."""
    few: float | None
    """Mean accuracy of the Few classes in the same evaluation."""
    std: float | None
    """Population standard deviation of the means of Many, Medium and Few in the same evaluation.
    Null where a group is missing.
    """
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class SeedRun(Model):
    """A job of a group."""

    id: str
    seed: int
    status: WorkStatus


class SeedMean(Model):
    """One number over the seeds that have it."""

    n: int
    mean: float | None
    sd: float | None
    """Of a sample (n - 1). Null below two."""


class JobGroup(Model):
    """The newest of the jobs that differ by their seed alone, and what all of them found."""

    id: str
    name: str
    tags: list[str]
    notes: str
    status: WorkStatus
    dataset_id: str
    ood_pool_id: str | None
    evaluation_dataset_id: str | None
    """Null: evaluated on `dataset_id`."""
    config: dict[str, Any]
    """All settings that the run reads, with their values."""
    start_from: StartedFrom | StartedFromBackbone | None
    """Null: random weights."""
    beginning_job_id: str | None
    """The job that trained its epochs before the first sampling round, which are equal bit for bit
    in both. It may have been deleted since. Null: it trained them itself.
    """
    evaluations: list[Literal["linear", "few_shot", "knn"] | str]
    progress: Progress
    queue_position: int | None
    """Queued jobs that begin before it. Null if it is not queued, and in lists."""
    compute: Compute | None
    """As of the last start. Null before the first."""
    attempts: int
    """Starts since it was last queued or resumed."""
    error: str | None
    warnings: list[DataWarning]
    """What the user should know before trusting its numbers."""
    loss: float | None
    """Mean loss of the last finished epoch."""
    accuracy: float | None
    """Accuracy in the first of its `evaluations`, 0..1."""
    few: float | None
    """Mean accuracy of the Few classes in the same evaluation."""
    std: float | None
    """Population standard deviation of the means of Many, Medium and Few in the same evaluation.
    Null where a group is missing.
    """
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    runs: list[SeedRun]
    """Its jobs that pass the filters, the newest first."""
    accuracies: SeedMean
    """`accuracy` of those that succeeded. Of jobs with one seed, the newest counts."""
    fews: SeedMean
    """`few` of the same jobs."""
    stds: SeedMean
    """`std` of the same jobs: computed for each, then averaged."""


class ProcessMemory(Model):
    """Bytes of one process. They add up, since its allocator keeps what a phase has used."""

    base: int
    """Libraries; on a GPU its context."""
    weights: int
    """The framework's state, its gradients and the optimiser's."""
    step: int
    """Views, activations and similarities of a step."""
    checkpoint: int
    """Copies while a checkpoint is written. 0 on a GPU: the host has them."""
    sampling: int
    """A sampling round. 0: there is none."""
    evaluation: int
    """The job's own evaluations. 0: there are none."""
    peak: int
    """All of these together."""


class Capacity(Model):
    """What the estimate is compared with. Null: not known, so there is no limit."""

    workers: Literal["live", "earlier", "none"] | str
    """`live`: the machine is a live worker's. `earlier`: no such worker is live, but one has
    reported it before. `none`: no worker has reported its devices yet.
    """
    cpu_cores: int | None
    memory_bytes: int | None
    gpu_bytes: int | None
    """Of each GPU."""
    artifacts_bytes: int | None
    """Room in the artifact store above the disk's floor."""
    database_bytes: int | None
    """Room on the database's disk above its floor."""


class FieldProblem(Model):
    """What is wrong with one value of the request."""

    pointer: str
    """JSON Pointer (RFC 6901) into the body, such as `/config/epochs`. Other parts of the request
    are written `?name` (query), `{name}` (path) or `name:` (header).
    """
    detail: str


class JobForecast(Model):
    """What a job would need, and what its settings resolve to."""

    device: Literal["cpu", "cuda"] | str
    precision: Literal["fp32", "bf16"] | str
    measured: bool
    """Whether a worker has measured the activations of this encoder. Else they are those of its
    layers' shapes.
    """
    parameters: int
    processes: int
    memory: ProcessMemory
    memory_bytes: int
    """Of all processes, on the device."""
    steps: int
    epochs: int
    checkpoints: int
    """Written over the run."""
    checkpoint_bytes: int
    """Of one, with the backbone beside it."""
    kept_bytes: int
    """Of the checkpoints that are kept, while another one is written."""
    written_bytes: int
    """Of all checkpoints."""
    rounds: int
    pool_scores: int
    """Pool images times rounds."""
    metric_rows: int
    database_bytes: int
    """Curves, tailness and rounds, with the files of their scores of the pool."""
    capacity: Capacity
    misfits: list[FieldProblem]
    """Why the job cannot run. Such a job is refused."""
    large: list[FieldProblem]
    """What needs `accept_cost`, and which setting makes it smaller."""
    config: dict[str, Any]
    """All settings that the run reads, with their values."""
    seconds: float | None
    """From start to end. Each step takes as long as in the newest succeeded run that is like it:
    of these data, framework, sampler, backbone and batch size. Null if there is none.
    """


class CancelledJobs(Model):
    """What was cancelled. Jobs that had ended, or that do not exist, are left out."""

    cancelled: list[str]
    """Ids of those that waited."""
    cancelling: list[str]
    """Ids of those that ran. They are `cancelled` once they have stopped."""
    more: bool
    """Whether there may be more: at most 1000 are cancelled at once."""


class JobEstimate(Model):
    """What a job is estimated to need over its whole run."""

    device: Literal["cpu", "cuda"] | str
    precision: Literal["fp32", "bf16"] | str
    measured: bool
    """Whether a worker has measured the activations of this encoder. Else they are those of its
    layers' shapes.
    """
    parameters: int
    processes: int
    memory: ProcessMemory
    memory_bytes: int
    """Of all processes, on the device."""
    steps: int
    epochs: int
    checkpoints: int
    """Written over the run."""
    checkpoint_bytes: int
    """Of one, with the backbone beside it."""
    kept_bytes: int
    """Of the checkpoints that are kept, while another one is written."""
    written_bytes: int
    """Of all checkpoints."""
    rounds: int
    pool_scores: int
    """Pool images times rounds."""
    metric_rows: int
    database_bytes: int
    """Curves, tailness and rounds, with the files of their scores of the pool."""
    capacity: Capacity
    misfits: list[FieldProblem]
    """Why the job cannot run. Such a job is refused."""
    large: list[FieldProblem]
    """What needs `accept_cost`, and which setting makes it smaller."""


class JobDetails(Model):
    """A job, with what only one job's own address shows."""

    id: str
    name: str
    tags: list[str]
    notes: str
    status: WorkStatus
    dataset_id: str
    ood_pool_id: str | None
    evaluation_dataset_id: str | None
    """Null: evaluated on `dataset_id`."""
    config: dict[str, Any]
    """All settings that the run reads, with their values."""
    start_from: StartedFrom | StartedFromBackbone | None
    """Null: random weights."""
    beginning_job_id: str | None
    """The job that trained its epochs before the first sampling round, which are equal bit for bit
    in both. It may have been deleted since. Null: it trained them itself.
    """
    evaluations: list[Literal["linear", "few_shot", "knn"] | str]
    progress: Progress
    queue_position: int | None
    """Queued jobs that begin before it. Null if it is not queued, and in lists."""
    compute: Compute | None
    """As of the last start. Null before the first."""
    attempts: int
    """Starts since it was last queued or resumed."""
    error: str | None
    warnings: list[DataWarning]
    """What the user should know before trusting its numbers."""
    loss: float | None
    """Mean loss of the last finished epoch."""
    accuracy: float | None
    """Accuracy in the first of its `evaluations`, 0..1."""
    few: float | None
    """Mean accuracy of the Few classes in the same evaluation."""
    std: float | None
    """Population standard deviation of the means of Many, Medium and Few in the same evaluation.
    Null where a group is missing.
    """
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    estimate: JobEstimate | None
    """Null: submitted to an earlier version."""
    last_event_id: int
    """The last event that these values hold. As `Last-Event-ID`, the stream continues after it; 0:
    none.
    """


class Curve(Model):
    """One metric over the steps of the run."""

    step: list[int]
    value: list[float]


class Profile(Model):
    """Where a run's time went so far, in seconds.

    After an interruption, the work since the last checkpoint is repeated. It counts once.
    """

    epochs: int
    """Finished epochs; `data` to `other` are sums over them."""
    data: float
    """Reading images and augmenting them."""
    forward_backward: float
    """Forward and backward passes, losses and optimiser steps."""
    tailness: float
    """Tracking the tailness of the training images."""
    round: float
    """Sampling rounds, including forward passes over the pool."""
    other: float
    """The rest of these epochs, such as recording and waiting."""
    evaluation: float | None
    """All `evaluations` of the job. Null before the first one has finished."""


AttemptOutcome = Literal["succeeded", "failed", "cancelled", "worker_lost", "shut_down"] | str


class AttemptInfo(Model):
    """One start of a job, by one worker."""

    number: int
    """1 for the job's first start. Resuming a job does not reset it."""
    worker_id: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    """Null while it runs."""
    outcome: AttemptOutcome | None
    """worker_lost: its worker sent no heartbeat for too long. shut_down: its worker was stopped.
    Null while it runs.
    """
    reason: str | None
    """Why it did not succeed, in words."""
    from_epoch: int | None
    """Finished epochs it resumed from. Null until it trains."""
    from_step: int | None
    """Finished steps it resumed from. Null until it trains."""
    epoch: int | None
    """Finished epochs of the job when it ended."""
    step: int | None
    """Finished steps of the job when it ended."""


class SeatInfo(Model):
    """What one worker gives to one attempt of a job over several machines."""

    attempt: int | None
    """Null until the job has all its seats and begins."""
    node_rank: int | None
    """0 leads. Null until the job begins."""
    worker_id: str
    address: str
    """Where the other machines reach this one."""
    port: int | None
    """On which the leader listens. Null in the others' seats."""
    gpus: int
    """That its processes use. 0: they compute on the CPU."""
    created_at: dt.datetime
    lease_expires_at: dt.datetime | None
    """Its worker is given up as silent then. Null: the seat was given back."""


class TailShare(Model):
    kind: Literal["tail_share"]
    gamma: list[float]
    """Percent of the training images."""
    phi_tail: list[float | None]
    """1 is chance level. Null without a Few class."""
    phi_head: list[float | None]
    """1 is chance level. Null without a Many class."""


class ClusterMinority(Model):
    kind: Literal["cluster_minority"]
    size: list[int]
    minority_share: list[float]
    """Share of a cluster's images in the Few classes, 0..1."""
    tailness: list[float]
    """Mean tailness of the cluster's images."""
    slope: float | None
    """Least-squares slope of tailness over minority share. Null if all shares are equal."""
    intercept: float | None
    r: float | None
    """Pearson's correlation. Null if shares or tailness do not vary."""


class Misclassification(Model):
    kind: Literal["misclassification"]
    counts: list[list[int]]
    """C x C: test images by true and predicted class."""
    normalized: list[list[float | None]]
    """C x C: wrong predictions relative to balanced confusion. Null on the diagonal."""
    order: list[int]
    """Classes by training images, largest first."""


class ConnectivityOf(Model):
    """One group of classes. Shares are null if it has no pair."""

    without_ood: list[float | None]
    with_ood: list[float | None]
    num_pairs: int


class Connectivity(Model):
    kind: Literal["connectivity"]
    thresholds: list[float]
    majority: ConnectivityOf
    """Pairs within the Many classes."""
    minority: ConnectivityOf
    """Pairs within the Few classes."""
    num_ood: int
    """OOD images that may be bridges. 0 if no run has picked any."""


class FeatureMap(Model):
    kind: Literal["feature_map"]
    index: list[int]
    """Position of each image: ID images in the training part, then OOD images in the pool."""
    x: list[float]
    y: list[float]
    label: list[int | None]
    """Class of an ID image; null if the data set has no labels. -1 for an OOD image."""
    tailness: list[float | None]
    """Tailness of an ID image; null for an OOD image, and without a run."""
    cluster: list[int] | None = None
    """Cluster of the embedding among `num_clusters` of the map's ID images, which is not one of a
    sampling round. Null: made by an earlier version.
    """
    error: list[float | None] | None = None
    """Share of other classes among the 10 ID images of the map with the nearest embeddings. Null
    for an OOD image. Null as a whole without labels, or if an earlier version made it.
    """


class Uniformity(Model):
    kind: Literal["uniformity"]
    uniformity: float
    """Over all pairs: 0 if all are equal, near -4 if spread over the sphere."""
    by_class: list[float | None] | None
    """Over the pairs of each class. Null with fewer than two images. Null as a whole without
    labels.
    """
    num_samples: int


class Alignment(Model):
    kind: Literal["alignment"]
    alignment: float
    """Mean over the classes with images: 0 is best, 4 is worst."""
    by_class: list[float | None]
    group: dict[str, float | None]
    """Means over the classes of many, medium and few."""


class AnalysisWithResult(Model):
    """An analysis with its result."""

    id: str
    job_id: str | None
    checkpoint_id: str | None
    backbone_id: str | None
    dataset_id: str | None
    """Of a backbone's analysis. Null: that of the job."""
    kind: (
        Literal[
            "tail_share",
            "cluster_minority",
            "misclassification",
            "connectivity",
            "feature_map",
            "uniformity",
            "alignment",
        ]
        | str
    )
    status: WorkStatus
    error: str | None
    epoch: int | None
    """Finished epochs in the checkpoint."""
    config: (
        TailShareConfig
        | ClusterMinorityConfig
        | MisclassificationConfig
        | ConnectivityConfig
        | FeatureMapConfig
        | UniformityConfig
        | AlignmentConfig
        | dict[str, Any]
    )
    assumed: dict[str, Any] | None
    """Settings of a run that it reads, which a backbone has not: the defaults of a job.
    `group_thresholds` null: thirds by rank. Null as a whole: those of the job.
    """
    created_at: dt.datetime
    finished_at: dt.datetime | None
    result: (
        TailShare
        | ClusterMinority
        | Misclassification
        | Connectivity
        | FeatureMap
        | Uniformity
        | Alignment
        | dict[str, Any]
        | None
    )
    """Null until the status is `succeeded`."""


class CheckpointInfo(Model):
    """A saved state that the run can resume from."""

    id: str
    job_id: str
    epoch: int
    """Finished epochs."""
    step: int
    bytes: int
    sha256: str
    created_at: dt.datetime


class OnnxExportConfig(Model):
    """The backbone in float32, from pixels in 0..1 to features, for batches of any size."""

    kind: Literal["onnx"]


class FeaturesExportConfig(Model):
    """The backbone's features of all images of a part, in float32."""

    kind: Literal["features"]
    split: Literal["train", "probe", "val", "test", "pool"] | str = "test"
    """`train` is of the data set that the job trains on. `probe`, `val` and `test` are of the one
    that it is evaluated on. `pool` is its OOD pool.
    """
    format: Literal["npz", "parquet"] | str = "npz"


class Onnx(Model):
    num_features: int
    kind: Literal["onnx"]
    opset: int
    """Read from the file."""
    image_size: int
    """Height and width of the input, in pixels."""


class Features(Model):
    num_features: int
    kind: Literal["features"]
    num_images: int


class ExportInfo(Model):
    """A file made of one checkpoint."""

    id: str
    job_id: str
    checkpoint_id: str
    kind: Literal["onnx", "features"] | str
    status: WorkStatus
    error: str | None
    epoch: int
    """Of the checkpoint."""
    config: OnnxExportConfig | FeaturesExportConfig | dict[str, Any]
    created_at: dt.datetime
    finished_at: dt.datetime | None
    bytes: int | None
    """Null until the status is `succeeded`."""
    sha256: str | None
    """Of the file. Null until the status is `succeeded`."""
    result: Onnx | Features | dict[str, Any] | None
    """What is in the file. Null until the status is `succeeded`."""


class ClusterInfo(Model):
    """A k-means cluster of the ID images."""

    size: int
    """Number of ID images in the cluster."""
    tailness: float | None
    """Mean tailness of its images. Null for an empty cluster."""
    weight: float
    """Softmax weight. The weights of a round sum to 1."""
    budget: int
    """OOD images that the round may pick for this cluster."""
    class_counts: list[int] | None
    """Number of its images, by class. Null if the data set has no labels, if clusters times
    classes exceed 100,000, or if they were not asked for.
    """


class RoundStop(Model):
    """The pool has nothing similar left: picks are too far below the similarity of early ones.

    Similarities are cosines to the centres that the images were picked for.
    """

    similarity: float
    """Mean of the last picks, as many as there are clusters."""
    reference: float
    """Mean of as many early picks, the twentieth such block."""
    share: float
    """The setting `spread_stop`."""


class RoundInfo(Model):
    """A sampling round."""

    round: int
    epoch: int
    """The epoch that began with this round."""
    step: int
    clusters: list[ClusterInfo]
    num_selected: int
    """Images that it picked."""
    budget: int
    """K: images that it could pick. The clusters' budgets sum to it."""
    picked_from: Literal["pool", "train"] | str
    """Where the picks are from. train: training images, repeated; no OOD image is then scored."""
    stop: RoundStop | None
    """Why it picked less than `budget`. Null if it did not."""
    overlap: float | None
    """Share of the picked images that the previous round had picked too."""
    num_embedded: int | None
    """Pool images that the encoder embedded for it. Null in rounds of older versions."""
    seconds: float


class ClusterDetails(Model):
    """A cluster, beside the whole of the training images."""

    size: int
    """Number of ID images in the cluster."""
    tailness: float | None
    """Mean tailness of its images. Null for an empty cluster."""
    weight: float
    """Softmax weight. The weights of a round sum to 1."""
    budget: int
    """OOD images that the round may pick for this cluster."""
    class_counts: list[int] | None
    """Number of its images, by class. Null if the data set has no labels, if clusters times
    classes exceed 100,000, or if they were not asked for.
    """
    few_share: float | None
    """Share of its images that are of Few classes, 0..1. Null without class counts, and if it is
    empty.
    """
    lift: list[float | None] | None
    """By class: its share in the cluster over its share in all training images. 1: as everywhere.
    Null for a class without images. The list is null where `few_share` is, and where a round
    has over 50,000 of them.
    """


class RoundDetails(Model):
    """A sampling round, with what only its own address shows."""

    round: int
    epoch: int
    """The epoch that began with this round."""
    step: int
    clusters: list[ClusterDetails]
    num_selected: int
    """Images that it picked."""
    budget: int
    """K: images that it could pick. The clusters' budgets sum to it."""
    picked_from: Literal["pool", "train"] | str
    """Where the picks are from. train: training images, repeated; no OOD image is then scored."""
    stop: RoundStop | None
    """Why it picked less than `budget`. Null if it did not."""
    overlap: float | None
    """Share of the picked images that the previous round had picked too."""
    num_embedded: int | None
    """Pool images that the encoder embedded for it. Null in rounds of older versions."""
    seconds: float
    few_share: float | None
    """Share of all training images that are of Few classes, to compare."""


class NearSample(Model):
    """An image of the training part, near a scored image."""

    index: int
    label: int | None
    """Null if the data set has no labels."""
    similarity: float
    """Cosine of both embeddings."""
    tailness: float


class ImageScore(Model):
    """The score of an image."""

    index: int
    """Its place: of files by name, else in the array."""
    name: str
    """Of the file in the archive, or such as `images[3]`. At most 400 characters."""
    tailness: float
    """Similarity-weighted mean tailness of its nearest ID samples."""
    cluster: int | None = None
    """Nearest ID cluster. Null in scores of earlier versions."""
    similarity: float | None = None
    """Cosine similarity to the centre of that cluster."""
    nearest: list[NearSample] = []
    """The nearest training images, nearest first."""


class RefusedImage(Model):
    """An image that could not be scored."""

    index: int
    name: str
    detail: str
    """Why, and what to change."""


class ScoreInfo(Model):
    """Scores of unseen images, by a checkpoint of a job."""

    id: str
    job_id: str
    checkpoint_id: str
    epoch: int
    """Of the checkpoint."""
    round: int | None
    """The sampling round whose scores are comparable: it had the same weights. Null: none had."""
    status: WorkStatus
    error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None
    scores: list[ImageScore] | None
    """Null until the status is `succeeded`."""
    refused: list[RefusedImage] | None
    """Null until the status is `succeeded`."""


class IdSample(Model):
    """An image of the training part."""

    index: int
    label: int | None
    """Shown for analysis only; training uses no labels. Null if the data set has none."""
    class_name: str | None
    tailness: float


class IdSamplePage(Model):
    items: list[IdSample]
    next_cursor: str | None
    """Cursor of the next page. Null on the last page."""
    epoch: int | None
    """The epoch after which this was measured. Null before the first."""
    round: int | None
    """The round of the requested cluster. Null without `cluster`."""


class IdHistory(Model):
    epoch: list[int]
    """Of more than 1000 recorded epochs: evenly spaced ones, and the last."""
    tailness: list[float]


class IdSampleDetail(Model):
    index: int
    label: int | None
    """Null if the data set has no labels."""
    class_name: str | None
    tailness: float | None
    """The latest value. Null before the first epoch has ended."""
    history: IdHistory


class ClassTailness(Model):
    label: int
    class_name: str
    count: int
    """Images of the training part."""
    mean_tailness: float | None
    """Mean tailness after the last of `epochs`."""
    history: list[float | None]
    """Mean tailness after each of `epochs`."""


class SizeFit(Model):
    """How the mean tailness of a class goes with its size: r is below 0 if rare classes are tail-
    like.
    """

    classes: int
    """Classes with images and a mean tailness. Each counts the same."""
    r: float | None
    """Pearson's r of log10(count) and mean tailness. Null below 3 classes, or if either is
    constant.
    """
    interval: list[float] | None
    """95 % interval of r by Fisher's z. Null below 4 classes, or if all classes lie on one line."""
    slope: float | None
    """Of the least-squares line: tailness by log10(count). Null where r is."""
    intercept: float | None


class ClassTailnessList(Model):
    items: list[ClassTailness]
    next_cursor: str | None
    """Cursor of the next page. Null on the last page."""
    epochs: list[int]
    """Of more than 1000 recorded epochs: evenly spaced ones, and the last."""
    fit: SizeFit
    """Over all classes, after the last of `epochs`."""


class OodSample(Model):
    """An image of the OOD pool, with its scores from one sampling round."""

    index: int
    tailness: float
    """Similarity-weighted mean tailness of its nearest ID samples."""
    cluster: int
    """Nearest ID cluster in that round."""
    similarity: float
    """Cosine similarity to the centre of that cluster."""
    selected: bool
    """Whether that round picked the image."""
    selected_rounds: list[int]
    """The rounds that picked the image."""
    alike_to: int | None = None
    """With `alike`: the earlier image of the page that it nearly equals on pixels, such as a copy."""


class OodSamplePage(Model):
    items: list[OodSample]
    next_cursor: str | None
    """Cursor of the next page. Null on the last page."""
    round: int | None
    """The round shown. Null before the first."""
    epoch: int | None
    total: int
    """Number of samples that pass the filters."""


class OodHistogram(Model):
    """How many images of the pool have which tailness in a round."""

    round: int | None
    """Null before the first."""
    edges: list[float]
    """Ends of the B bins of one width: B + 1 of them. Empty without an image."""
    all: list[int]
    """Images in each bin. The last bin has its upper end too."""
    picked: list[int]
    """Images in each bin that the round picked."""


class Standing(Model):
    """The ranks of an image among the others of its pool in a round."""

    percentile: float
    """Share of the pool's images with a smaller tailness, 0..1."""
    cluster_rank: int
    """1 for the image most similar to the centre of its cluster, among the pool's images of the
    cluster.
    """
    cluster_size: int
    """The pool's images of its cluster."""
    budget: int
    """OOD images that the round could pick for the cluster."""


class OodSampleRound(Model):
    round: int
    epoch: int
    tailness: float
    cluster: int
    similarity: float
    selected: bool


class OodSampleDetail(Model):
    """An image of the OOD pool, with its scores from the last round, or from the one asked for,
    and from every round.
    """

    index: int
    tailness: float
    """Similarity-weighted mean tailness of its nearest ID samples."""
    cluster: int
    """Nearest ID cluster in that round."""
    similarity: float
    """Cosine similarity to the centre of that cluster."""
    selected: bool
    """Whether that round picked the image."""
    selected_rounds: list[int]
    """The rounds that picked the image."""
    round: int
    standing: Standing
    """In the last round, or in the one asked for."""
    rounds: list[OodSampleRound]
    """Of more than 1000 rounds: the last 1000."""


class NearestSample(Model):
    """An image of the training part, near an OOD image."""

    index: int
    label: int | None
    """Null if the data set has no labels."""
    class_name: str | None
    similarity: float
    """Cosine of both embeddings in the round, to three digits."""
    tailness: float | None
    """What the round weighed it by. Null if it was not recorded."""


class NearestSamples(Model):
    """The training images nearest to an OOD image when a round picked it."""

    index: int
    """Of the OOD image."""
    round: int
    epoch: int
    """The epoch that began with this round."""
    items: list[NearestSample]
    """Nearest first."""


class ComparedPick(Model):
    """An OOD image that one or both jobs picked."""

    index: int
    """In the pool."""
    first_rounds: list[int]
    """Rounds of the first job that picked it."""
    second_rounds: list[int]
    """Rounds of the second job that picked it."""
    alike_to: int | None = None
    """With `alike`: the earlier image of the page that it nearly equals on pixels, such as a copy."""


class ComparedPicks(Model):
    """The images of one part, by index, and the sizes of all parts."""

    items: list[ComparedPick]
    next_cursor: str | None
    """Cursor of the next page. Null on the last page."""
    job_ids: list[Any]
    round: int | None
    """Null: picks of all rounds."""
    shared: int
    """Images that both jobs picked."""
    only_first: int
    only_second: int
    shared_by_chance: float
    """Expected number of shared images if each job had picked as many at random: the product of
    both numbers over the size of the pool.
    """


class Difference(Model):
    """One number of a setting, and by how much it differs from the baseline's. All are in 0..1.

    The interval is the 95 % t interval of the paired differences.
    """

    metric: str
    """`all`, `many`, `medium`, `few`, `std` or `class/NAME`."""
    mean: float | None
    """Over the setting's runs."""
    sd: float | None
    """Of its runs (n - 1). Null below two."""
    n: int
    """Pairs of runs with the same seed. Of the baseline: its runs."""
    difference: float | None
    """Mean over the pairs, the setting's less the baseline's."""
    interval: list[float] | None
    """[low, high]. Null below two pairs, and where all differ alike."""
    verdict: str | None
    """`higher`, `lower`, `no clear difference` (the interval holds 0), `too few pairs` (below
    three) or `one run each: no interval`. Null of the baseline, where `no_verdict` says why,
    and where all pairs differ by an equal amount.
    """


class ComparedSetting(Model):
    """Jobs that differ by their seed alone, beside those of the baseline."""

    job_ids: list[str]
    differs_in: list[str]
    """What it differs in from the baseline: settings, `start_from`, and of its data `dataset`,
    `evaluated_on` and `ood_pool`. A framework or sampler counts once with the settings that it
    alone reads.
    """
    no_verdict: str | None
    """Why its differences have no verdict. Null if they may have one."""
    missing: list[str]
    """Its jobs without such an evaluation."""
    unpaired: list[str]
    """Jobs with one that are in no pair: the other side has none of that seed, or an earlier job
    has it.
    """
    rows: list[Difference]
    """Of all classes and of groups. Empty where test images differ."""
    classes: list[Difference] | None
    """By class. Null where there would be more than 2,000 in all, or where classes differ."""


class AgainstBaseline(Model):
    """What settings change, as one probe measures it."""

    baseline: str
    """Id of the job."""
    evaluation: Literal["linear", "few_shot", "knn"] | str | None
    """The probe. Null if the baseline has no result yet."""
    settings: list[ComparedSetting]
    """The baseline's own first."""


class Comparison(Model):
    """Jobs side by side. Every list has one entry per job, in the order of `jobs`."""

    jobs: list[JobInfo]
    differences: dict[str, list[Any]]
    """Settings that differ between the jobs, with the value of each job. `start_from` counts as
    one.
    """
    same_data: bool
    """Whether all jobs train and are evaluated on the same images, and those that pick OOD images
    pick from the same pool.
    """
    data_differences: dict[str, list[Any]]
    """What differs in their data sets and pools, with the value of each job. Empty if `same_data`."""
    warnings: list[DataWarning]
    """What to know before drawing a conclusion from the comparison."""
    evaluations: dict[str, list[EvaluationInfo | None]]
    """By kind of probe: each job's latest succeeded evaluation, or null. Of very many classes,
    what is given by class is null. The evaluation's own address has it.
    """
    curves: dict[str, list[Curve | None]]
    """By name: each job's curve, or null."""
    against: AgainstBaseline | None
    """Differences from the `baseline`. Null without one."""


class JobComparison(Model):
    """One job and its baseline, each on its own."""

    baseline: str
    """Id of the job."""
    evaluation: Literal["linear", "few_shot", "knn"] | str | None
    """The probe. Null if the baseline has no result yet."""
    settings: list[ComparedSetting]
    """The baseline's own first."""
    warnings: list[DataWarning]
    """What to know before drawing a conclusion from the comparison."""


class ExperimentInfo(Model):
    """An experiment. Its status is that of its jobs, and of the evaluations of its backbones."""

    id: str
    name: str
    template: str | None
    status: WorkStatus
    """`queued` until a job has begun; `running`, or `cancelling`, while one waits or runs. Then
    `failed` if one failed, else `cancelled` if one was cancelled or deleted, else `succeeded`.
    """
    finished: int
    """Jobs, and evaluations of backbones, that have ended in any way."""
    total: int
    """Jobs of all arms, data sets and seeds, and evaluations of backbones, with deleted ones."""
    dataset_ids: list[str]
    ood_pool_id: str | None
    seeds: list[int]
    evaluations: list[Literal["linear", "few_shot", "knn"] | str]
    baseline: str
    created_at: dt.datetime


class TemplateArm(Model):
    """An arm of a template."""

    name: str
    """`{sample_budget}` and the like are replaced by the arm's settings."""
    config: dict[str, Any]
    times: dict[str, float] = {}
    """Factors of settings, relative to those of the request."""
    train_on: Literal["balanced"] | None = None
    """balanced: it trains on `balanced_dataset_ids`. Without them, it is left out."""


class Template(Model):
    """A bundled experiment: what is compared, without data."""

    name: str
    """Its name in requests."""
    title: str
    summary: str
    evaluations: list[Literal["linear", "few_shot", "knn"] | str]
    arms: list[TemplateArm]
    """The first is the baseline."""


class ArmEstimate(Model):
    """What an arm is, and what it would need."""

    name: str
    config: dict[str, Any] | None
    """Null: it is a backbone, which is not trained."""
    jobs: int
    steps: int
    """Optimiser steps of all its jobs."""


class ExperimentEstimate(Model):
    """What all jobs of an experiment are estimated to need."""

    arms: list[ArmEstimate]
    jobs: int
    steps: int
    memory_bytes: int
    """Of the job that needs most."""
    stored_bytes: int
    """Checkpoints that are kept, and rows, of all jobs."""
    large: list[FieldProblem]
    """What needs `accept_cost`, and what makes it smaller."""


class BackboneRunInfo(Model):
    """A backbone on one data set with one kind of probe, for every seed."""

    dataset_id: str
    kind: Literal["linear", "few_shot", "knn"] | str
    evaluation_id: str | None
    """Null: the evaluation was deleted."""
    status: WorkStatus | None
    error: str | None


class ArmInfo(Model):
    """Settings that are compared, or a backbone."""

    name: str
    config: dict[str, Any] | None
    """Null: it is a backbone, which is not trained."""
    backbone_id: str | None
    evaluations: list[BackboneRunInfo]
    """Of a backbone, by data set and kind. Else empty."""
    ood_pool_id: str | None
    train_on: list[str] | None
    """Null: on the experiment's data sets."""


class RunInfo(Model):
    """An arm on one data set with one seed."""

    arm: str
    dataset_id: str
    seed: int
    job_id: str | None
    """Null: the job was deleted."""
    status: WorkStatus | None
    progress: Progress | None
    error: str | None


class ExperimentDetails(Model):
    """An experiment, with what only its own address shows."""

    id: str
    name: str
    template: str | None
    status: WorkStatus
    """`queued` until a job has begun; `running`, or `cancelling`, while one waits or runs. Then
    `failed` if one failed, else `cancelled` if one was cancelled or deleted, else `succeeded`.
    """
    finished: int
    """Jobs, and evaluations of backbones, that have ended in any way."""
    total: int
    """Jobs of all arms, data sets and seeds, and evaluations of backbones, with deleted ones."""
    dataset_ids: list[str]
    ood_pool_id: str | None
    seeds: list[int]
    evaluations: list[Literal["linear", "few_shot", "knn"] | str]
    baseline: str
    created_at: dt.datetime
    protocol: str
    arms: list[ArmInfo]
    jobs: list[RunInfo]
    """By arm, seed and data set."""
    eta_seconds: float | None
    """Until all have ended, with as many jobs at once as now. Other work in the queue is not
    counted. Null: nothing is left, or nothing shows yet how long a step takes.
    """


class ResultRow(Model):
    """An arm's values of one metric, and how they differ from the baseline's."""

    arm: str
    metric: str
    """`all` (mean accuracy over classes), `many`, `medium`, `few`, `std` or `class/NAME`. All are
    shares of 1.
    """
    n: int
    """Runs of the arm that have a value. Of a backbone: data sets."""
    mean: float | None
    sd: float | None
    """Standard deviation over these runs (n - 1). Null below two."""
    pairs: int | None
    """Pairs of runs of the arm and the baseline. Null for the baseline."""
    difference: float | None
    """Mean over the pairs: the arm less the baseline."""
    interval: list[Any] | None
    """95 % t interval of the difference."""
    no_interval: str | None
    """Why there is no interval."""
    verdict: Literal["higher", "lower", "no clear difference", "too few pairs"] | str | None
    """Null for the baseline, where all pairs differ by the same amount, and where the arms differ
    in steps or data: `warnings` says so.
    """


class RunValues(Model):
    """The values of one run. Runs with the same data set and seed make a pair. A backbone's values
    are in the pair of every seed.
    """

    arm: str
    dataset_id: str
    dataset: str
    """Its name."""
    seed: int | None
    """Null: of a backbone, for every seed."""
    job_id: str | None
    """Null: of a backbone."""
    evaluation_id: str
    steps: int | None
    """Optimiser steps of the run. Null: of a backbone."""
    values: dict[str, float | None]
    """By metric: `all` (mean accuracy over classes), `many`, `medium`, `few`, `std` or
    `class/NAME`.
    """


class MissingRun(Model):
    """A run, or a part of its values, that is in no row."""

    arm: str
    dataset_id: str
    seed: int | None
    """Null: of a backbone, for every seed."""
    job_id: str | None
    why: str
    metrics: list[str] | None
    """Metrics that this run lacks and others have. Null: all."""


class Results(Model):
    """What the arms of an experiment give, compared in pairs of runs with the same data set and
    seed.
    """

    evaluation: Literal["linear", "few_shot", "knn"] | str
    baseline: str
    rows: list[ResultRow]
    pairs: list[RunValues]
    missing: list[MissingRun]
    warnings: list[DataWarning]


class DevicesInfo(Model):
    """What a worker's machine computes with."""

    cpu_cores: int
    cuda: list[str]
    """The name of each CUDA device. Jobs with `device: cuda` need one."""
    memory_bytes: int | None = None
    """Memory that processes may use. Null: not reported."""
    cuda_bytes: list[int] = []
    """Memory of each CUDA device. Empty: not reported."""
    bf16: bool = False
    """Whether `precision: auto` is bf16."""


class Work(Model):
    """A piece of work that a worker holds a lease on."""

    kind: (
        Literal["job", "dataset", "ood_pool", "backbone", "export", "evaluation", "analysis", "pool_check", "score"]
        | str
    )
    id: str


class WorkerInfo(Model):
    """A worker process, and whether it is alive."""

    id: str
    """Host name and random digits. Every start of a worker makes a new one."""
    live: bool
    """Whether its heartbeat is recent enough for it to count as alive."""
    started_at: dt.datetime
    heartbeat_at: dt.datetime
    silent_seconds: float
    """Seconds since its last heartbeat."""
    devices: DevicesInfo | None
    """Null: not reported, by a worker of an earlier version."""
    works_on: list[Work]


class Kind(Model):
    """One framework, sampler, probe or analysis."""

    kind: str
    """Its name in requests."""
    title: str
    summary: str
    settings: dict[str, Any]
    """JSON schema of its own settings, which not every kind reads."""


class SamplerKind(Model):
    kind: str
    """Its name in requests."""
    title: str
    summary: str
    settings: dict[str, Any]
    """JSON schema of its own settings, which not every kind reads."""
    uses_pool: bool
    """Whether its jobs need an OOD pool. Others do not read one."""


class AnalysisKind(Model):
    kind: str
    """Its name in requests."""
    title: str
    summary: str
    settings: dict[str, Any]
    """JSON schema of its own settings, which not every kind reads."""
    needs_labels: bool
    """Whether it is refused for images without labels."""
    of_backbones: bool
    """Whether it can also be of a registered backbone."""


class Preset(Model):
    """A named starting point for a job's settings."""

    name: str
    title: str
    values: dict[str, Any]
    """The settings that the preset changes. All others have their defaults."""


class Source(Model):
    """Where images can be registered from."""

    kind: str
    title: str


class LayoutInfo(Model):
    """How images, labels and parts may be arranged in a folder, an archive or a file."""

    kind: str
    """Its name in `layout`."""
    title: str
    summary: str
    dataset: bool
    """Whether data sets can have it."""
    ood_pool: bool
    """Whether pools can have it."""


class FileEndings(Model):
    """File name endings that can be registered."""

    dataset: list[str]
    ood_pool: list[str]


class Kinds(Model):
    """All names that requests can use, for forms and clients."""

    frameworks: list[Kind]
    samplers: list[SamplerKind]
    probes: list[Kind]
    analyses: list[AnalysisKind]
    presets: list[Preset]
    sources: list[Source]
    layouts: list[str]
    """Names of the arrangements of images, in the order they are tried."""
    layout_details: list[LayoutInfo]
    torchvision: list[str]
    """Data sets that torchvision knows by name."""
    file_endings: FileEndings
    settings: dict[str, Any]
    """JSON schema of the settings that every job has, with any framework and sampler."""


class Alive(Model):
    status: str = "ok"


class Ready(Model):
    status: str = "ready"
    missing: list[str] = []
