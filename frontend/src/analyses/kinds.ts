import type { AnalysisKind } from '../api/types';

/** What an analysis is called, and what it tells, in the order in which they are offered. */
export const KINDS: { kind: AnalysisKind; title: string; about: string }[] = [
  {
    kind: 'tail_share',
    title: 'Tail share',
    about:
      'Do the images of highest tailness come from the tail? φ is the share of a group of classes among them, over its share of all images: 1 is chance. Tailness knows no labels; it works when φ of the Few classes is far above 1 on the left.',
  },
  {
    kind: 'cluster_minority',
    title: 'Clusters',
    about:
      'Each dot is a cluster of training images in feature space. The more of its images are of Few classes, the higher its mean tailness should be, since a round spends its budget by it.',
  },
  {
    kind: 'misclassification',
    title: 'Confusion',
    about:
      'Where the wrong predictions of a probe go, over what evenly spread errors would give: 1 is balanced. A column far above 1 is a class that swallows others; in a long tail that is mostly a head class.',
  },
  {
    kind: 'connectivity',
    title: 'Connectivity',
    about:
      'Share of the image pairs of one class that augmentation connects: some view of one lies within the threshold of some view of the other, or both lie within it of one picked OOD image, the bridge.',
  },
  {
    kind: 'feature_map',
    title: 'Feature map',
    about:
      'The feature space in two dimensions: dots are training images, crosses the OOD images last picked. Near is alike; the axes mean nothing by themselves.',
  },
  {
    kind: 'uniformity',
    title: 'Uniformity',
    about:
      'How evenly training images spread over the feature space: 0 when all lie at one point, near −4 when they fill it. By class: how far one class alone is spread.',
  },
  {
    kind: 'alignment',
    title: 'Alignment',
    about: 'How far two augmented views of one image lie apart (mean squared distance): 0 is at the same point, 4 as far as can be.',
  },
];
