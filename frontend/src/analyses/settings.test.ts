import { expect, test } from 'vitest';
import { settingsOf } from './settings';

test.each([
  [{ kind: 'feature_map', seed: 0, method: 'pca' }, 'seed 0 · method pca'],
  [{ kind: 'tail_share', gammas: [1, 2.5] }, 'gammas 1, 2.5'],
  [{ kind: 'cluster_minority', num_clusters: null, seed: 3 }, 'seed 3'],
  [{ kind: 'misclassification', probe: { kind: 'knn', shots: null, neighbors: 20 } }, 'probe kind knn, neighbors 20'],
])('%o', (config, line) => expect(settingsOf(config)).toBe(line));
