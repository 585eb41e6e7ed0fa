/** How to read the figure of a kind of analysis. A kind without a figure has its summary from the API instead. */
export const CAPTIONS: Record<string, string> = {
  tail_share:
    'Do the most tail-like images come from the tail? φ = a group’s share among the most tail-like γ % ÷ its share of all images (1 = chance). Tailness works if φ of the Few classes is far above 1 on the left.',
  cluster_minority:
    'Each dot is a cluster of training images in feature space. A cluster with more images of Few classes should have a higher mean tailness. A sampling round spends more of its budget there.',
  misclassification:
    'Each cell compares the wrong predictions of a probe with evenly spread errors (1 = balanced). A column far above 1 is a class that attracts the images of others, mostly a head class.',
  connectivity:
    'Two images of a class are connected if two of their augmented views lie within the threshold. A picked OOD image can also connect them, as a bridge. The figure shows the share of connected pairs.',
  feature_map:
    'The feature space in two dimensions. Dots are training images; crosses are the OOD images of the last round. Neighbours are alike. The axes have no meaning of their own.',
  uniformity:
    'How evenly the training images spread over the feature space. 0 means that all lie at one point; a value near −4 means that they fill the space. The bars show each class alone.',
  alignment:
    'How far apart two augmented views of one image lie (mean squared distance). 0 means at the same point; 4 is the largest possible distance.',
};
