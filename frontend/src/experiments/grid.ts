import type { Experiment, ExperimentRun } from '../api/types';
import { isFinal } from '../status';

/** A column of the grid: one data set with one seed. */
export interface Column {
  dataset: string;
  seed: number;
}

/** The columns, in the order of the experiment's data sets and seeds. */
export function columnsOf({ dataset_ids, seeds }: Pick<Experiment, 'dataset_ids' | 'seeds'>): Column[] {
  return dataset_ids.flatMap((dataset) => seeds.map((seed) => ({ dataset, seed })));
}

/** The runs of an arm, one for each column. Undefined where there is none, as of a backbone. */
export function cellsOf(jobs: readonly ExperimentRun[], arm: string, columns: readonly Column[]): (ExperimentRun | undefined)[] {
  return columns.map(({ dataset, seed }) => jobs.find((run) => run.arm === arm && run.dataset_id === dataset && run.seed === seed));
}

/** The share of a run's steps that are done, in 0..1. Null where it is not under way. */
export function shareOf({ status, progress }: Pick<ExperimentRun, 'status' | 'progress'>): number | null {
  if (!progress || status === null || status === 'queued' || isFinal(status)) return null;
  return progress.steps ? progress.step / progress.steps : 0;
}

/** Whether a job, or an evaluation of a backbone, waits or runs. */
export const underWay = ({ status }: Pick<Experiment, 'status'>): boolean => !isFinal(status);

/** Whether something can be queued again: it failed, was cancelled or was deleted. Not while other jobs are still being cancelled. */
export function canResume({ jobs, arms }: Pick<Experiment, 'jobs' | 'arms'>): boolean {
  if (jobs.some(({ status }) => status === 'cancelling')) return false;
  const statuses = [...jobs, ...arms.flatMap(({ evaluations }) => evaluations)].map(({ status }) => status);
  return statuses.some((status) => status === null || status === 'failed' || status === 'cancelled');
}

/** Whether a job waits or runs. Evaluations of backbones are not cancelled with an experiment. */
export const canCancel = ({ jobs }: Pick<Experiment, 'jobs'>): boolean => jobs.some(({ status }) => status === 'queued' || status === 'running');

/** Settings in which arms that read them differ, by name, with the value of each arm. Undefined: it reads none. */
export function differingSettings(configs: readonly (Record<string, unknown> | null)[]): [name: string, values: unknown[]][] {
  const names = [...new Set(configs.flatMap((config) => Object.keys(config ?? {})))].filter((name) => name !== 'seed');
  return names
    .map((name): [string, unknown[]] => [name, configs.map((config) => config?.[name])])
    .filter(([, values]) => new Set(values.filter((value) => value !== undefined).map((value) => JSON.stringify(value))).size > 1);
}
