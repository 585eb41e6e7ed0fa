"""What requests hold. Written by `make client` from the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal, Required, TypedDict


class NewResumableUpload(TypedDict, total=False):
    """A file that is to arrive in one or more requests."""

    filename: Required[str]
    """Its ending says what the file is."""
    bytes: Required[int]
    """Of the whole file."""
    sha256: str | None
    """Of the whole file. If it arrives with another, it is not kept."""


class TableColumns(TypedDict, total=False):
    """The columns of a table that lies beside the images. What is left out is guessed."""

    file: str | None
    """The table's name in the data."""
    path: str | None
    """Column of the images' paths."""
    label: str | None
    """Column of the labels."""
    split: str | None
    """Column of the parts."""


class ImageLists(TypedDict, total=False):
    """Uploads of list files, which say where images belong and what their labels are."""

    train: str | None
    """Required, unless the long tail's indices are such a list."""
    val: str | None
    test: str | None


class LongTail(TypedDict, total=False):
    """How to cut a long-tailed training part. Only `profile` is required."""

    profile: Required[Literal["exp", "step", "pareto", "balanced", "indices"]]
    imbalance_ratio: float
    """Images of the largest class divided by those of the rarest."""
    max_per_class: int | None
    """Images of the largest class. Default: as many as the rarest class has."""
    order: Literal["index", "random"]
    """index: class 0 is the largest. random: a seeded order."""
    seed: int
    indices: list[int] | None
    """Profile `indices`: positions in the training part to keep. A request to the service takes at
    most 10,000, and longer lists as an upload.
    """
    upload_id: str | None
    """Profile `indices`: an upload of such positions (.npy, .txt), or the list of the training
    images, as `lists.train`.
    """


class NewDataset(TypedDict, total=False):
    """An image data set to register, and how to cut it."""

    layout: (
        Literal["arrays", "idx", "cifar", "tiny-imagenet", "parquet", "webdataset", "lists", "table", "folders"] | None
    )
    """The layout that the data must have. Null: the one that is recognised."""
    table: TableColumns | None
    """Layout `table`: the columns to read."""
    image_size: int | None
    """None: all images are squares of one size already."""
    fit: Literal["crop", "squash", "pad"]
    """How an image becomes a square of image_size. Its centre is cropped, it is squashed, or bars
    of the background's colour (default: black) pad it.
    """
    background: str | None
    """Colour under transparent pixels. None: transparency is dropped, so that such pixels show the
    colour that the file stores for them, often black.
    """
    bit_depth: Literal["refuse", "scale"]
    """Gray images of 16 bits. scale: the value_range is mapped to 0..255."""
    value_range: list[Any] | None
    """bit_depth `scale`: the values that become 0 and 255; others are clipped. None: the smallest
    and the largest value of all 16-bit images that are kept. Give a pool the range of its data
    set.
    """
    on_damaged: Literal["refuse", "skip"]
    """Damaged image files. skip: up to 1 % are left out, and listed in `warnings`."""
    labels: bool
    """false: images alone, in any arrangement, to pretrain on. All of them are the training part."""
    lists: ImageLists | None
    """Layout `lists`: lists of `PATH LABEL` lines, or CSV, if they are not among the images."""
    label_names: dict[str, str] | list[str] | None
    """New names of classes: by the names found, or all in their order. Classes of one name become
    one.
    """
    long_tail: LongTail | None
    test: Literal["auto", "none"]
    """By default, the source's own test part or one that is cut from it. With `none`, test images
    of the source are left out, and no probe can be evaluated.
    """
    test_fraction: float
    """Share of each class to cut if the source has no test part."""
    seed: int
    accept_cost: bool
    """Register the images even if they take many bytes, for a disk or their file."""


class NewOodPool(TypedDict, total=False):
    """Unlabelled out-of-distribution (OOD) images to register."""

    layout: (
        Literal["arrays", "idx", "cifar", "tiny-imagenet", "parquet", "webdataset", "lists", "table", "folders"] | None
    )
    """The layout that the data must have. Null: the one that is recognised."""
    table: TableColumns | None
    """Layout `table`: the columns to read."""
    image_size: int | None
    """None: all images are squares of one size already."""
    fit: Literal["crop", "squash", "pad"]
    """How an image becomes a square of image_size. Its centre is cropped, it is squashed, or bars
    of the background's colour (default: black) pad it.
    """
    background: str | None
    """Colour under transparent pixels. None: transparency is dropped, so that such pixels show the
    colour that the file stores for them, often black.
    """
    bit_depth: Literal["refuse", "scale"]
    """Gray images of 16 bits. scale: the value_range is mapped to 0..255."""
    value_range: list[Any] | None
    """bit_depth `scale`: the values that become 0 and 255; others are clipped. None: the smallest
    and the largest value of all 16-bit images that are kept. Give a pool the range of its data
    set.
    """
    on_damaged: Literal["refuse", "skip"]
    """Damaged image files. skip: up to 1 % are left out, and listed in `warnings`."""
    accept_cost: bool
    """Register the images even if they take many bytes, for a disk or their file."""


class NewPoolCheck(TypedDict, total=False):
    """A comparison of the pool with a data set, to queue."""

    dataset_id: Required[str]
    """A data set with labels."""
    checkpoint_id: str | None
    """Whose encoder to compare with. One that was trained on this data set also gives its
    tailness.
    """
    backbone_id: str | None
    """A registered backbone to compare with, in place of it."""
    budget: Required[int]
    """K: images that a sampling round would pick from the pool."""


class NewBackbone(TypedDict, total=False):
    """A backbone to register."""

    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50"] | None
    """Required, but for a checkpoint."""
    width: int | None
    """Channels of the first stage. Default: 64."""
    stem: Literal["cifar", "cifar-stride2", "imagenet"] | None
    """Default: `imagenet`, 7x7 with stride 2 and max-pool. A file does not say the stride, so
    choose between `cifar` and `cifar-stride2` yourself.
    """
    mean: list[Any] | None
    """Of red, green and blue, in units of 0..1, as in its training. Default: ImageNet's."""
    std: list[Any] | None
    """Deviations, in the same units. Default: ImageNet's."""


class GroupThresholds(TypedDict, total=False):
    """Few has fewer than `low` training images, Many more than `high`.

    The defaults are the convention of ImageNet-LT and Places-LT.
    """

    low: int
    high: int


class NewLinearProbeOfBackbone(TypedDict, total=False):
    """A linear classifier on frozen features, trained on the whole probe part."""

    kind: Required[Literal["linear"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    protocol: Literal["fast", "sgd"]
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


class NewFewShotProbeOfBackbone(TypedDict, total=False):
    """A linear classifier on frozen features, trained on a few images of each class."""

    kind: Required[Literal["few_shot"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    protocol: Literal["fast", "sgd"]
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """
    shots: int | None
    """Images of each class; one with fewer gives all. Default: 1 % of the largest class's training
    images.
    """
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


class NewKnnProbeOfBackbone(TypedDict, total=False):
    """For each test image, the nearest probe images vote. Nothing is trained."""

    kind: Required[Literal["knn"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    neighbors: int
    """How many probe images vote."""
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


NewBackboneEvaluation = NewLinearProbeOfBackbone | NewFewShotProbeOfBackbone | NewKnnProbeOfBackbone


class LinearProbeConfig(TypedDict, total=False):
    """A linear classifier on frozen features, trained on the whole probe part."""

    kind: Required[Literal["linear"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    protocol: Literal["fast", "sgd"]
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """


class FewShotProbeConfig(TypedDict, total=False):
    """A linear classifier on frozen features, trained on a few images of each class."""

    kind: Required[Literal["few_shot"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    protocol: Literal["fast", "sgd"]
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """
    shots: int | None
    """Images of each class; one with fewer gives all. Default: 1 % of the largest class's training
    images.
    """


class KnnProbeConfig(TypedDict, total=False):
    """For each test image, the nearest probe images vote. Nothing is trained."""

    kind: Required[Literal["knn"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    neighbors: int
    """How many probe images vote."""


class NewMisclassificationOfBackbone(TypedDict, total=False):
    """Which classes a probe confuses."""

    kind: Required[Literal["misclassification"]]
    seed: int
    probe: LinearProbeConfig | FewShotProbeConfig | KnnProbeConfig
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


class NewConnectivityOfBackbone(TypedDict, total=False):
    """Share of same-class image pairs that augmentation connects, without and with OOD bridges."""

    kind: Required[Literal["connectivity"]]
    seed: int
    per_class: int
    """ID images of each class; a random sample if there are more."""
    num_ood: int
    """Picked OOD images that may be bridges; a random sample if there are more."""
    num_views: int
    """Augmented views of each image."""
    thresholds: list[float]
    """Largest distances between normalised embeddings (0..2) at which two views are connected."""
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


class NewFeatureMapOfBackbone(TypedDict, total=False):
    """The feature space in two dimensions: training images and the last picked OOD images."""

    kind: Required[Literal["feature_map"]]
    seed: int
    method: Literal["tsne", "pca"]
    num_samples: int
    """ID images; a sample if there are more. At most 5,000 by t-SNE."""
    sampling: Literal["even", "random"]
    """Which ID images. even: as many of each class, as far as it has them. random: any, as without
    labels.
    """
    num_ood: int
    """Picked OOD images; a random sample if there are more."""
    num_clusters: int
    """Clusters that a map is coloured by; fewer of few images."""
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


class NewUniformityOfBackbone(TypedDict, total=False):
    """How evenly the training images spread over the feature space."""

    kind: Required[Literal["uniformity"]]
    seed: int
    num_samples: int
    """ID images; a random sample if there are more."""
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


class NewAlignmentOfBackbone(TypedDict, total=False):
    """How close two augmented views of an image are, by class."""

    kind: Required[Literal["alignment"]]
    seed: int
    per_class: int
    """ID images of each class; a random sample if there are more."""
    num_pairs: int
    """Pairs of views of each image."""
    dataset_id: Required[str]
    """Of any image size. A probe needs labels and a test part."""


NewBackboneAnalysis = (
    NewMisclassificationOfBackbone
    | NewConnectivityOfBackbone
    | NewFeatureMapOfBackbone
    | NewUniformityOfBackbone
    | NewAlignmentOfBackbone
)


class PartialConfig(TypedDict, total=False):
    """Every setting is optional. Missing ones come from the `preset`, then from the defaults. A
    setting that only other frameworks or samplers read is refused.
    """

    preset: Literal["cifar10-lt", "cifar100-lt", "imagenet100-lt", "places-lt", "cpu-small", "digits"] | None
    """Source of the values that were not given."""
    framework: Literal["simclr", "sdclr", "bcl", "moco", "gh"]
    prune_share: float
    """Read by framework sdclr, bcl. p: share of all convolution weights that are pruned."""
    bcl_variant: Literal["I", "D"]
    """Read by framework bcl. I: SimCLR with one RandAugment operation for each view. D: SDCLR with
    two.
    """
    loss_momentum: float
    """Read by framework bcl. beta: momentum of a sample's average loss over epochs."""
    queue_size: int
    """Read by framework moco. Keys of earlier batches that serve as negatives."""
    key_momentum: float
    """Read by framework moco. m: share of the key encoder that stays at each step. 0.999 as
    published.
    """
    gh_directions: int
    """Read by framework gh. K: directions, at most projection_dim + 1. For ten classes try 20."""
    gh_ramp_epochs: int
    """Read by framework gh. Epochs after half the run in which the weight of L_GH rises to 1."""
    sampler: Literal["none", "random", "mak", "colt", "spread", "idfill"]
    match_steps: bool
    """Read by sampler none. Repeats ID images until an epoch has as many steps as with K OOD
    images. This separates the gain of another sampler from that of longer training.
    """
    warmup_epochs: int
    """Read by sampler none, random, mak, colt, spread, idfill. w: with match_steps, epochs are
    longer from epoch w + 1 on.
    """
    sample_budget: int
    """Read by sampler none, random, mak, colt, spread, idfill. K: with match_steps, the number of
    OOD images whose steps are matched.
    """
    cluster_temperature: float
    """Read by sampler random, mak, colt, spread, idfill. tau_c: temperature of the clusters'
    weights.
    """
    budget_remainder: Literal["largest", "last"]
    """Read by sampler random, mak, colt, spread, idfill. How budgets become whole numbers.
    largest: by largest remainder. last: the last cluster gets the rest (released code).
    """
    ood_neighbors: int
    """Read by sampler random, mak, colt, spread, idfill. ID neighbours whose tailness is averaged
    for an OOD image.
    """
    neighbor_search: Literal["exact", "approximate"]
    """Read by sampler random, mak, colt, spread, idfill. How these neighbours are found.
    approximate is for pools of many millions, with at least 4,096 training images. On
    CIFAR-10-LT it finds 96 % of the neighbours in half the time; on unstructured features far
    fewer.
    """
    sample_interval: int
    """Read by sampler random, colt, spread, idfill. r: epochs between two rounds."""
    redraw: bool
    """Read by sampler random. Draw again in each round, or keep the first draw."""
    mak_passes: int
    """Read by sampler mak. R: augmented passes over which a loss is averaged."""
    mak_loss_weight: float
    """Read by sampler mak. w: weight of the loss in the score. Closeness to the ID set has weight
    1 - w.
    """
    mak_candidates: float
    """Read by sampler mak. Number of candidates, as a multiple of K."""
    cluster_order: Literal["index", "tail_first"]
    """Read by sampler colt. Which cluster picks first. index: 0..C-1 (released code). tail_first:
    the most tail-like.
    """
    pool_refresh: Literal["full", "candidates"]
    """Read by sampler colt. candidates: a round embeds only 30 % of the pool again: a rotating
    share and the best candidates. Only these can be picked.
    """
    spread_points: int
    """Read by sampler spread. n: points nearest to its centre that represent a cluster."""
    spread_stop: float
    """Read by sampler spread. A round stops once the mean similarity of C picks is below this
    share of that of the 20th C picks. The rest of K is not picked. 0 never stops.
    """
    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50"]
    """resnet10 has one basic block in each stage."""
    width: int
    """Channels of the first stage; 64 is the standard."""
    stem: Literal["cifar", "cifar-stride2", "imagenet"]
    """3x3 stride 1; 3x3 stride 2; or 7x7 stride 2 with max-pool."""
    projection_dim: int
    epochs: int
    batch_size: int
    """Images in a step. Each gives two views."""
    temperature: float
    """tau of the contrastive loss. A lower one weighs near negatives more."""
    temperature_schedule: Literal["constant", "cosine"]
    """cosine: the contrastive loss has a tau for each epoch, which falls and rises again five
    times. Tailness, the distribution-level loss and MAK keep `temperature`.
    """
    temperature_low: float | None
    """Only for the cosine schedule: its lowest tau. Default: 0.1."""
    temperature_high: float | None
    """Only for the cosine schedule: its highest tau. Default: 1."""
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    final_learning_rate: float
    """The end of the cosine schedule."""
    momentum: float
    """SGD momentum, or AdamW's first beta."""
    weight_decay: float
    """On every parameter."""
    lr_warmup_epochs: int
    """Linear warm-up of the learning rate, in epochs."""
    min_crop_scale: float
    """RandomResizedCrop takes at least this share of the area."""
    flip_probability: float
    """Horizontal flip."""
    color_jitter: float
    """Strength for brightness, contrast and saturation. Hue gets a quarter of it."""
    color_jitter_probability: float
    grayscale_probability: float
    blur_probability: float
    """Gaussian blur of sigma 0.1 to 2 pixels."""
    augmentation: Literal["exact", "fused"]
    """fused: colour jitter and grayscale are one affine map of a pixel, clamped once. This is
    faster, and its views are close to the exact ones.
    """
    top_k: int | float
    """How many of the largest negative probabilities are summed: a number, or a share of the
    negatives.
    """
    tailness_momentum: float
    """m: share of an image's earlier tailness that each epoch keeps."""
    ood_in_negatives: bool
    """Whether OOD embeddings count among a sample's negatives."""
    num_clusters: int
    """C: clusters of the training images' features."""
    kmeans_restarts: int
    distribution_loss_weight: float
    """alpha: weight of the distribution-level loss. 0 leaves the term out."""
    distribution_denominator: Literal["all", "cross_domain"]
    """all: every other embedding (released code). cross_domain: the other distribution's (paper)."""
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    """auto: bf16 if the hardware computes in it."""
    num_processes: int
    """Data-parallel ranks. Each trains on its share of every batch."""
    num_hosts: int
    """Machines over which the service spreads the processes, equally many on each."""
    checkpoint_interval: int
    """Epochs between two checkpoints. The last epoch always has one."""


class StartFrom(TypedDict, total=False):
    """Where a run gets its initial weights from: a checkpoint or a backbone."""

    checkpoint_id: str | None
    """A checkpoint of any job."""
    backbone_id: str | None
    """A registered backbone."""


class NewJob(TypedDict, total=False):
    """A pretraining run to queue. Only `dataset_id` is required."""

    name: str | None
    """Default: made from framework, sampler and data set."""
    tags: list[str]
    notes: str
    """Text for people, of several lines if need be."""
    config: PartialConfig
    """Every setting is optional. Missing ones come from the `preset`, then from the defaults. A
    setting that only other frameworks or samplers read is refused.
    """
    start_from: StartFrom | None
    """A new run that begins with the weights of a checkpoint or a backbone. Of a checkpoint it
    takes over the projection head too, if `projection_dim` is the same. `backbone`, `width` and
    `stem` must be its own. All else is new, and the data may be others.
    """
    evaluations: list[Literal["linear", "few_shot", "knn"]]
    """Probes to run on the last checkpoint."""
    accept_cost: bool
    """Queue the job even if its estimate is large. One that cannot run is refused."""


class JobsToCancel(TypedDict, total=False):
    """Which queued and running jobs to cancel: those that fit all that is given."""

    ids: list[str] | None
    status: Literal["queued", "running"] | None
    """Default: both."""
    dataset_id: str | None
    sampler: Literal["none", "random", "mak", "colt", "spread", "idfill"] | None
    framework: Literal["simclr", "sdclr", "bcl", "moco", "gh"] | None
    tag: str | None
    name: str | None
    """A part of the name, as in the list."""
    mine: bool
    """Only jobs that this token submitted or resumed. Without a token: all."""


class JobChanges(TypedDict, total=False):
    """What people say about a job. What is missing or null stays as it is."""

    name: str | None
    tags: list[str] | None
    """Replaces all tags."""
    notes: str | None


class NewLinearProbe(TypedDict, total=False):
    """A linear classifier on frozen features, trained on the whole probe part."""

    kind: Required[Literal["linear"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    protocol: Literal["fast", "sgd"]
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewFewShotProbe(TypedDict, total=False):
    """A linear classifier on frozen features, trained on a few images of each class."""

    kind: Required[Literal["few_shot"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    protocol: Literal["fast", "sgd"]
    """fast: logistic regression on cached features. sgd: as in the released code, with
    augmentation.
    """
    shots: int | None
    """Images of each class; one with fewer gives all. Default: 1 % of the largest class's training
    images.
    """
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewKnnProbe(TypedDict, total=False):
    """For each test image, the nearest probe images vote. Nothing is trained."""

    kind: Required[Literal["knn"]]
    group_thresholds: GroupThresholds | None
    """Many, Medium and Few by training counts. Default: thirds by rank."""
    seed: int
    neighbors: int
    """How many probe images vote."""
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


NewEvaluation = NewLinearProbe | NewFewShotProbe | NewKnnProbe


class NewTailShare(TypedDict, total=False):
    """Whether the images of highest tailness come from the tail classes."""

    kind: Required[Literal["tail_share"]]
    seed: int
    gammas: list[float]
    """Percentages of the training images, taken by highest tailness."""
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewClusterMinority(TypedDict, total=False):
    """Whether clusters of high tailness are those that hold the tail classes."""

    kind: Required[Literal["cluster_minority"]]
    seed: int
    num_clusters: int | None
    """Default: the run's num_clusters."""
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewMisclassification(TypedDict, total=False):
    """Which classes a probe confuses."""

    kind: Required[Literal["misclassification"]]
    seed: int
    probe: LinearProbeConfig | FewShotProbeConfig | KnnProbeConfig
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewConnectivity(TypedDict, total=False):
    """Share of same-class image pairs that augmentation connects, without and with OOD bridges."""

    kind: Required[Literal["connectivity"]]
    seed: int
    per_class: int
    """ID images of each class; a random sample if there are more."""
    num_ood: int
    """Picked OOD images that may be bridges; a random sample if there are more."""
    num_views: int
    """Augmented views of each image."""
    thresholds: list[float]
    """Largest distances between normalised embeddings (0..2) at which two views are connected."""
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewFeatureMap(TypedDict, total=False):
    """The feature space in two dimensions: training images and the last picked OOD images."""

    kind: Required[Literal["feature_map"]]
    seed: int
    method: Literal["tsne", "pca"]
    num_samples: int
    """ID images; a sample if there are more. At most 5,000 by t-SNE."""
    sampling: Literal["even", "random"]
    """Which ID images. even: as many of each class, as far as it has them. random: any, as without
    labels.
    """
    num_ood: int
    """Picked OOD images; a random sample if there are more."""
    num_clusters: int
    """Clusters that a map is coloured by; fewer of few images."""
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewUniformity(TypedDict, total=False):
    """How evenly the training images spread over the feature space."""

    kind: Required[Literal["uniformity"]]
    seed: int
    num_samples: int
    """ID images; a random sample if there are more."""
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewAlignment(TypedDict, total=False):
    """How close two augmented views of an image are, by class."""

    kind: Required[Literal["alignment"]]
    seed: int
    per_class: int
    """ID images of each class; a random sample if there are more."""
    num_pairs: int
    """Pairs of views of each image."""
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


NewAnalysis = (
    NewTailShare
    | NewClusterMinority
    | NewMisclassification
    | NewConnectivity
    | NewFeatureMap
    | NewUniformity
    | NewAlignment
)


class NewOnnxExport(TypedDict, total=False):
    """The backbone in float32, from pixels in 0..1 to features, for batches of any size."""

    kind: Required[Literal["onnx"]]
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


class NewFeaturesExport(TypedDict, total=False):
    """The backbone's features of all images of a part, in float32."""

    kind: Required[Literal["features"]]
    split: Literal["train", "probe", "val", "test", "pool"]
    """`train` is of the data set that the job trains on. `probe`, `val` and `test` are of the one
    that it is evaluated on. `pool` is its OOD pool.
    """
    format: Literal["npz", "parquet"]
    checkpoint_id: str | None
    """Default: the job's last checkpoint."""


NewExport = NewOnnxExport | NewFeaturesExport


class ImagesToScore(TypedDict, total=False):
    """Images that were uploaded, to be scored."""

    upload_id: Required[str]
    """An upload of images, in everything that a pool can come in: an archive of images, npz or
    npy.
    """
    keep_upload: bool
    """By default the upload is deleted at the end, unless a registration has named it."""
    nearest: int
    """How many of the nearest training images to tell."""


class NewArm(TypedDict, total=False):
    """Settings to compare, or a registered backbone."""

    name: Required[str]
    config: PartialConfig
    """Its own settings, which come before those of the experiment."""
    backbone_id: str | None
    """A backbone in place of settings. It is not trained: it has one evaluation for each data set
    and kind, whose values are in the pairs of every seed.
    """
    ood_pool_id: str | None
    """Default: the experiment's."""
    train_on: list[str] | None
    """The data sets that it trains on instead: one for each of `dataset_ids`, or one for all. It
    is evaluated on `dataset_ids` all the same.
    """


class NewExperiment(TypedDict, total=False):
    """Arms to compare on data sets with seeds: each combination becomes a job. A backbone has
    evaluations instead.
    """

    name: Required[str]
    template: str | None
    """A bundled experiment, which has the arms. Else give `arms`."""
    balanced_dataset_ids: list[str] | None
    """For templates with a control on balanced data: one for each of `dataset_ids`, or one for
    all. Register them from the same images with the long-tail profile `balanced`. One is
    refused whose classes have unequal counts or other names, or whose number of training images
    differs by more than a tenth.
    """
    config: PartialConfig
    """Settings of all arms, without `seed`. An arm whose framework or sampler does not read one is
    without it.
    """
    arms: list[NewArm] | None
    seeds: list[int]
    evaluations: list[Literal["linear", "few_shot", "knn"]] | None
    """Default: those of the template, or `linear`."""
    baseline: str | None
    """Name of an arm. Default: the first."""
    protocol: str
    """What was decided before the runs: text or YAML, kept as it is."""
    accept_cost: bool
    """Queue the jobs even if their estimates are large. What cannot run is refused."""


class MoreSeeds(TypedDict, total=False):
    """Seeds to add to an experiment."""

    seeds: Required[list[int]]
    accept_cost: bool
    """As for a new experiment."""
