export interface Page<T> { items: T[]; next_cursor: string | null }
export interface Dataset {
  id: string; name: string; status: string; progress: number; num_samples: number | null; num_classes: number | null;
  class_names: string[] | null; class_counts: number[] | null;
  split_sizes: Record<string, number> | null; groups: { many: number[]; medium: number[]; few: number[] } | null;
  image_size: number | null; created_at: string; problem: { title?: string; detail?: string } | null;
}
export interface Pool {
  id: string; name: string; status: string; progress: number; num_samples: number | null; image_size: number | null;
  created_at: string; problem: { title?: string; detail?: string } | null;
}
export interface Sample { index: number; label?: number | null; class_name?: string | null; split?: string }
export interface Job {
  id: string; name: string; tags: string[]; status: string; dataset_id: string; ood_pool_id: string | null;
  config: Record<string, unknown>; evaluations: string[];
  progress: { epoch: number; epochs: number; step: number; steps: number; images_per_second: number | null; eta_seconds: number | null };
  attempts: number; error: string | null; loss: number | null; accuracy: number | null;
  created_at: string; started_at: string | null; finished_at: string | null;
}
export interface Evaluation {
  id: string; kind: string; status: string; error: string | null; checkpoint_id: string; epoch: number; accuracy: number | null;
  balanced_accuracy: number | null; per_class_accuracy: number[] | null;
  group_accuracy: { many: number | null; medium: number | null; few: number | null } | null; group_std: number | null;
  class_counts: number[] | null; test_counts: number[] | null;
}
export interface Cluster { size: number; tailness: number; weight: number; budget: number; class_counts: number[] }
export interface Round { round: number; epoch: number; clusters: Cluster[]; num_selected: number; overlap: number | null; seconds: number }
export interface OodSample { index: number; tailness: number; cluster: number; similarity: number; selected: boolean; selected_rounds: number[] }
export interface Checkpoint { id: string; epoch: number; step: number; bytes: number; created_at: string; sha256: string }
export type Series = Record<string, { step: number[]; value: number[] }>;
export type Split = 'train' | 'probe' | 'val' | 'test';
export type PresetName = 'cifar10-lt' | 'cifar100-lt' | 'cpu-small' | 'digits';
export type Sampler = 'none' | 'random' | 'colt';
const FINAL = new Set(['succeeded', 'failed', 'cancelled']);
/** Whether nothing more happens to a job of this status by itself. */
export const isFinal = (status: string): boolean => FINAL.has(status);
export type Order = string; export type Status = string; export type OodOrder = string;
export type NewDataset = any; export type NewPool = any; export type NewJob = any;
