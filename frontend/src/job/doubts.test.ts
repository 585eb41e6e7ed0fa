import { expect, test } from 'vitest';
import { doubtsAccuracy, exampleImage } from './doubts';

const job = { dataset_id: 'd', ood_pool_id: 'p', evaluation_dataset_id: null };

test('an example is an image of the pool or of the data set, by its code', () => {
  expect(exampleImage(job, 7, 'pool_holds_test_images')).toBe('/api/v1/ood-pools/p/samples/7/image');
  expect(exampleImage(job, 7, 'test_images_in_training')).toBe('/api/v1/datasets/d/samples/7/image');
  const elsewhere = { ...job, evaluation_dataset_id: 'e' };
  expect(exampleImage(elsewhere, 7, 'test_images_in_training')).toBe('/api/v1/datasets/e/samples/7/image');
  expect(exampleImage(elsewhere, 7, 'training_holds_test_images')).toBe('/api/v1/datasets/d/samples/7/image');
});

test('leaks are shown with the accuracies, other warnings are not', () => {
  const warning = (code: string) => ({ code, detail: '', count: 1, examples: [] });
  expect(doubtsAccuracy(warning('pool_holds_test_images'))).toBe(true);
  expect(doubtsAccuracy(warning('loss_collapsed'))).toBe(false);
});
