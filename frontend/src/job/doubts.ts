import { datasetImage, poolImage } from '../api/calls';
import type { Job, Warning } from '../api/types';

/** Findings that make accuracies too high, or may do so. They are shown beside the accuracies. */
const CODES = new Set([
  'pool_holds_test_images',
  'pool_holds_training_images',
  'pool_holds_evaluation_images',
  'pool_nearly_holds_test_images',
  'pool_nearly_holds_training_images',
  'test_images_in_training',
  'val_images_in_training',
  'training_holds_test_images',
  'overlap_unknown',
]);

export const doubtsAccuracy = ({ code }: Warning): boolean => CODES.has(code);

/** The address of an example of a job's warning: an image of its pool or of one of its data sets. */
export function exampleImage(job: Pick<Job, 'dataset_id' | 'ood_pool_id' | 'evaluation_dataset_id'>, index: number, code: string): string {
  if (code.startsWith('pool_') && job.ood_pool_id) return poolImage(job.ood_pool_id, index);
  return datasetImage(code.startsWith('training_') ? job.dataset_id : (job.evaluation_dataset_id ?? job.dataset_id), index);
}
