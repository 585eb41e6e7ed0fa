import createClient from 'openapi-fetch';
import { connection } from './connection.svelte';
import { ApiError, asProblem, toProblem, unreachable } from './problem';
import type { paths } from './schema';
import { root } from '../root';
import { session } from './session.svelte';
import type {
  IdOrder, JobChanges, JobFilters, JobsToCancel, Kinds, ListedJob, NewAnalysis, NewDataset, NewEvaluation, NewExperiment, NewJob, NewPool, NewPoolCheck, OodChange, OodOrder, Page, PicksPart, ProbeName, ResultFormat, Results, Split,
} from './types';

/** Every call the dashboard makes, typed by the API's own OpenAPI document (`npm run openapi`). */
const api = createClient<paths>({ baseUrl: root });

type Answer<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** All items of a list, page by page: a page ends where its items would exceed 2 MiB. */
async function every<P extends Page<unknown>>(list: (more: { cursor?: string }) => Promise<P>): Promise<P> {
  const items: unknown[] = [];
  for (let cursor = ''; ; ) {
    const found = await list(page(cursor));
    items.push(...found.items);
    if (found.next_cursor === null) return { ...found, items };
    cursor = found.next_cursor;
  }
}

/** The body of a call's answer. Throws an ApiError when the answer is a problem. */
async function answer<T>(call: Answer<T>): Promise<T> {
  const { answered, unanswered } = connection.ask();
  const { data, error, response } = await call.catch((failure: unknown) => {
    unanswered();
    throw new ApiError(failure instanceof TypeError ? unreachable() : asProblem(failure));
  });
  answered();
  if (response.ok) return data as T;
  if (response.status === 401) session.needed = true;
  throw new ApiError(toProblem(response.status, error));
}

export const listWorkers = (cursor: string) =>
  answer(api.GET('/api/v1/workers', { params: { query: { limit: 200, ...page(cursor) } } }));

export const listKinds = () => answer(api.GET('/api/v1/kinds')) as Promise<Kinds>;

export const signIn = (token: string) => answer(api.POST('/api/v1/session', { body: { token } }));
export const signOut = () => answer(api.DELETE('/api/v1/session'));
export const getSession = () => answer(api.GET('/api/v1/session'));

// Data sets and pools

export const listDatasets = (cursor: string) =>
  answer(api.GET('/api/v1/datasets', { params: { query: { limit: 200, ...page(cursor) } } }));
export const getDataset = (dataset_id: string) =>
  answer(api.GET('/api/v1/datasets/{dataset_id}', { params: { path: { dataset_id } } }));
export const registerDataset = (body: NewDataset) => answer(api.POST('/api/v1/datasets', { body }));
export const deleteDataset = (dataset_id: string) =>
  answer(api.DELETE('/api/v1/datasets/{dataset_id}', { params: { path: { dataset_id } } }));
export const datasetImage = (id: string, index: number) => `${root}/api/v1/datasets/${id}/samples/${index}/image`;

export function listDatasetSamples(dataset_id: string, wanted: Paging & { split: Split; label?: number }) {
  const { split, label, limit, cursor } = wanted;
  const query = { split, ...(label !== undefined && { label }), limit, ...page(cursor) };
  return answer(api.GET('/api/v1/datasets/{dataset_id}/samples', { params: { path: { dataset_id }, query } }));
}

export const listPools = (cursor: string) =>
  answer(api.GET('/api/v1/ood-pools', { params: { query: { limit: 200, ...page(cursor) } } }));
export const getPool = (pool_id: string) =>
  answer(api.GET('/api/v1/ood-pools/{pool_id}', { params: { path: { pool_id } } }));
export const registerPool = (body: NewPool) => answer(api.POST('/api/v1/ood-pools', { body }));
export const deletePool = (pool_id: string) =>
  answer(api.DELETE('/api/v1/ood-pools/{pool_id}', { params: { path: { pool_id } } }));
export const poolImage = (id: string, index: number) => `${root}/api/v1/ood-pools/${id}/samples/${index}/image`;

export const listBackbones = () =>
  every((more) => answer(api.GET('/api/v1/backbones', { params: { query: { limit: 1000, ...more } } })));
export const listPoolChecks = (pool_id: string) =>
  every((more) =>
    answer(api.GET('/api/v1/ood-pools/{pool_id}/checks', { params: { path: { pool_id }, query: { limit: 1000, ...more } } })),
  );
export const getPoolCheck = (pool_id: string, check_id: string) =>
  answer(api.GET('/api/v1/ood-pools/{pool_id}/checks/{check_id}', { params: { path: { pool_id, check_id } } }));
export const requestPoolCheck = (pool_id: string, body: NewPoolCheck) =>
  answer(api.POST('/api/v1/ood-pools/{pool_id}/check', { params: { path: { pool_id } }, body }));
export const cancelPoolCheck = (pool_id: string, check_id: string) =>
  answer(api.POST('/api/v1/ood-pools/{pool_id}/checks/{check_id}/cancel', { params: { path: { pool_id, check_id } } }));
export const deletePoolCheck = (pool_id: string, check_id: string) =>
  answer(api.DELETE('/api/v1/ood-pools/{pool_id}/checks/{check_id}', { params: { path: { pool_id, check_id } } }));

/** Send a file as it is. The server streams it to disk. `told` gets the bytes that were sent so far: fetch cannot tell them. */
export function upload(file: File, told: (bytes: number) => void = () => undefined): Promise<{ id: string }> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${root}/api/v1/uploads?filename=${encodeURIComponent(file.name)}`);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.responseType = 'json';
    request.upload.onprogress = ({ loaded }) => told(loaded);
    request.onerror = () => reject(new ApiError(unreachable()));
    request.onload = () => {
      if (request.status < 300) return resolve(request.response as { id: string });
      if (request.status === 401) session.needed = true;
      reject(new ApiError(toProblem(request.status, request.response)));
    };
    request.send(file);
  });
}

// Jobs

/** Filters of the list of jobs, as the address has them. An empty text is no filter. */
export type WantedJobs = Record<'name' | 'status' | 'framework' | 'sampler' | 'tag' | 'dataset_id' | 'order' | 'group_by' | 'cursor', string>;

/** The API refuses a wrong filter. */
export function listJobs(wanted: Partial<WantedJobs>): Promise<Page<ListedJob>> {
  const query = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value)) as JobFilters;
  return answer(api.GET('/api/v1/jobs', { params: { query } }));
}

export const submitJob = (body: NewJob) => answer(api.POST('/api/v1/jobs', { body }));
export const estimateJob = (body: NewJob) => answer(api.POST('/api/v1/jobs/estimate', { body }));
export const getJob = (job_id: string) => answer(api.GET('/api/v1/jobs/{job_id}', { params: { path: { job_id } } }));
export const changeJob = (job_id: string, body: JobChanges) =>
  answer(api.PATCH('/api/v1/jobs/{job_id}', { params: { path: { job_id } }, body }));
export const cancelJob = (job_id: string) =>
  answer(api.POST('/api/v1/jobs/{job_id}/cancel', { params: { path: { job_id } } }));
/** Cancels those that wait or run, and leaves out the others. */
export const cancelJobs = (ids: string[]) => answer(api.POST('/api/v1/jobs/cancel', { body: { ids } as JobsToCancel }));
export const resumeJob = (job_id: string) =>
  answer(api.POST('/api/v1/jobs/{job_id}/resume', { params: { path: { job_id } } }));
export const deleteJob = (job_id: string) =>
  answer(api.DELETE('/api/v1/jobs/{job_id}', { params: { path: { job_id } } }));
export const eventsUrl = (id: string) => `${root}/api/v1/jobs/${id}/events`;

export function compareJobs(job_id: string[], max_points: number, baseline: string, evaluation: string) {
  const query = { job_id, max_points, baseline, ...(evaluation && { evaluation: evaluation as ProbeName }) };
  return answer(api.GET('/api/v1/compare', { params: { query } }));
}

/** Jobs on a data set, the newest first. */
export const listJobsOn = (dataset_id: string) =>
  answer(api.GET('/api/v1/jobs', { params: { query: { dataset_id, limit: 20 } } }));

/** Finished jobs on a data set, the newest first. */
export const listFinishedJobs = (dataset_id: string) =>
  answer(api.GET('/api/v1/jobs', { params: { query: { dataset_id, status: 'succeeded', limit: 200 } } }));

export function compareWithBaseline(job_id: string, baseline: string, evaluation: ProbeName) {
  return answer(api.GET('/api/v1/jobs/{job_id}/comparison', { params: { path: { job_id }, query: { baseline, evaluation } } }));
}

/** Images of one part of what two jobs picked, and the sizes of all parts. */
export function comparePicks(first: string, second: string, part: PicksPart, limit: number) {
  return answer(api.GET('/api/v1/compare/picks', { params: { query: { job_id: [first, second], part, limit, alike: true } } }));
}

// Experiments

export const listExperiments = (cursor: string) =>
  answer(api.GET('/api/v1/experiments', { params: { query: page(cursor) } }));
export const listTemplates = () => answer(api.GET('/api/v1/experiments/templates'));
export const submitExperiment = (body: NewExperiment) => answer(api.POST('/api/v1/experiments', { body }));
export const estimateExperiment = (body: NewExperiment) => answer(api.POST('/api/v1/experiments/estimate', { body }));
export const getExperiment = (experiment_id: string) =>
  answer(api.GET('/api/v1/experiments/{experiment_id}', { params: { path: { experiment_id } } }));
export const deleteExperiment = (experiment_id: string, with_jobs: boolean) =>
  answer(api.DELETE('/api/v1/experiments/{experiment_id}', { params: { path: { experiment_id }, query: { with_jobs } } }));
export const cancelExperiment = (experiment_id: string) =>
  answer(api.POST('/api/v1/experiments/{experiment_id}/cancel', { params: { path: { experiment_id } } }));
export const resumeExperiment = (experiment_id: string) =>
  answer(api.POST('/api/v1/experiments/{experiment_id}/resume', { params: { path: { experiment_id } } }));
export const addSeeds = (experiment_id: string, seeds: number[], accept_cost: boolean) =>
  answer(api.POST('/api/v1/experiments/{experiment_id}/seeds', { params: { path: { experiment_id } }, body: { seeds, accept_cost } }));

/** What results are of. An empty text leaves the experiment's own choice. */
export interface ResultChoice {
  evaluation: string;
  baseline: string;
}

export function getResults(experiment_id: string, { evaluation, baseline }: ResultChoice) {
  const query = { ...(evaluation && { evaluation: evaluation as ProbeName }), ...(baseline && { baseline }) };
  // Without a format they are JSON. The document has the other formats as text.
  return answer(api.GET('/api/v1/experiments/{experiment_id}/results', { params: { path: { experiment_id }, query } })) as Promise<Results>;
}

export function resultsUrl(id: string, choice: ResultChoice, format: ResultFormat): string {
  const query = Object.entries({ ...choice, format }).filter(([, value]) => value);
  return `${root}/api/v1/experiments/${id}/results?${new URLSearchParams(query)}`;
}

// What a job left

export const getCurve = async (job_id: string, name: string, max_points: number) =>
  (await answer(api.GET('/api/v1/jobs/{job_id}/metrics', { params: { path: { job_id }, query: { name: [name], max_points } } })))[name];
export const getMetrics = (job_id: string, max_points: number, after_step: number) =>
  answer(api.GET('/api/v1/jobs/{job_id}/metrics', { params: { path: { job_id }, query: { max_points, after_step } } }));
/** The lines of its log, each after its time. */
export const getLog = (job_id: string, query: { last: number; after_event: number }) =>
  answer(api.GET('/api/v1/jobs/{job_id}/log', { params: { path: { job_id }, query }, parseAs: 'text' })).then((text) =>
    text.split('\n').slice(0, -1),
  );
export const logUrl = (id: string) => `${root}/api/v1/jobs/${id}/log`;
export const getProfile = (job_id: string) =>
  answer(api.GET('/api/v1/jobs/{job_id}/profile', { params: { path: { job_id } } }));
/** All its rounds, without the counts of classes in their clusters, which would be megabytes. */
export const listRounds = (job_id: string) =>
  every((more) =>
    answer(api.GET('/api/v1/jobs/{job_id}/rounds', { params: { path: { job_id }, query: { limit: 1000, class_counts: false, ...more } } })),
  );
export const getRound = (job_id: string, number: number) =>
  answer(api.GET('/api/v1/jobs/{job_id}/rounds/{number}', { params: { path: { job_id, number } } }));
export const listEvaluations = (job_id: string) =>
  every((more) =>
    answer(api.GET('/api/v1/jobs/{job_id}/evaluations', { params: { path: { job_id }, query: { limit: 1000, ...more } } })),
  );
export const requestEvaluation = (job_id: string, body: NewEvaluation) =>
  answer(api.POST('/api/v1/jobs/{job_id}/evaluations', { params: { path: { job_id } }, body }));
export const cancelEvaluation = (evaluation_id: string) =>
  answer(api.POST('/api/v1/evaluations/{evaluation_id}/cancel', { params: { path: { evaluation_id } } }));
export const deleteEvaluation = (evaluation_id: string) =>
  answer(api.DELETE('/api/v1/evaluations/{evaluation_id}', { params: { path: { evaluation_id } } }));

export const listAnalyses = (job_id: string) =>
  every((more) =>
    answer(api.GET('/api/v1/jobs/{job_id}/analyses', { params: { path: { job_id }, query: { limit: 1000, ...more } } })),
  );
export const getAnalysis = (analysis_id: string) =>
  answer(api.GET('/api/v1/analyses/{analysis_id}', { params: { path: { analysis_id } } }));
export const requestAnalysis = (job_id: string, body: NewAnalysis) =>
  answer(api.POST('/api/v1/jobs/{job_id}/analyses', { params: { path: { job_id } }, body }));
export const cancelAnalysis = (analysis_id: string) =>
  answer(api.POST('/api/v1/analyses/{analysis_id}/cancel', { params: { path: { analysis_id } } }));
export const deleteAnalysis = (analysis_id: string) =>
  answer(api.DELETE('/api/v1/analyses/{analysis_id}', { params: { path: { analysis_id } } }));

export const listAttempts = (job_id: string) =>
  every((more) =>
    answer(api.GET('/api/v1/jobs/{job_id}/attempts', { params: { path: { job_id }, query: { limit: 1000, ...more } } })),
  );
export const listSeats = (job_id: string) =>
  every((more) =>
    answer(api.GET('/api/v1/jobs/{job_id}/seats', { params: { path: { job_id }, query: { limit: 1000, ...more } } })),
  );
export const listCheckpoints = (job_id: string) =>
  every((more) =>
    answer(api.GET('/api/v1/jobs/{job_id}/checkpoints', { params: { path: { job_id }, query: { limit: 1000, ...more } } })),
  );
export const getExport = (export_id: string) =>
  answer(api.GET('/api/v1/exports/{export_id}', { params: { path: { export_id } } }));
export const requestOnnx = (job_id: string, checkpoint_id: string) =>
  answer(api.POST('/api/v1/jobs/{job_id}/exports', { params: { path: { job_id } }, body: { kind: 'onnx', checkpoint_id } }));
export const checkpointUrl = (id: string, format: 'torch' | 'backbone' | 'onnx') =>
  `${root}/api/v1/checkpoints/${id}/download?format=${format}`;

export interface OodFilters {
  round: number;
  cluster: string;
  selected: string;
  change: OodChange | '';
  /** Bounds of the tailness. */
  min: string;
  max: string;
  order: OodOrder;
}

export function listOodTailness(job_id: string, wanted: OodFilters & Paging) {
  const query = { ...oodQuery(wanted), limit: wanted.limit, alike: true, ...page(wanted.cursor) };
  return answer(api.GET('/api/v1/jobs/{job_id}/ood-tailness', { params: { path: { job_id }, query } }));
}

export function oodCsvUrl(id: string, filters: OodFilters): string {
  const query = Object.entries(oodQuery(filters)).map(([name, value]) => [name, String(value)]);
  return `${root}/api/v1/jobs/${id}/ood-tailness/export?${new URLSearchParams([['format', 'csv'], ...query])}`;
}

export const listClassTailness = (job_id: string) =>
  every((more) => answer(api.GET('/api/v1/jobs/{job_id}/tailness/classes', { params: { path: { job_id }, query: more } })));

export function listIdTailness(job_id: string, wanted: { label: string; order: IdOrder } & Paging) {
  const query = { order: wanted.order, ...(wanted.label && { label: Number(wanted.label) }), limit: wanted.limit, ...page(wanted.cursor) };
  return answer(api.GET('/api/v1/jobs/{job_id}/tailness/samples', { params: { path: { job_id }, query } }));
}

export const getOodImage = (job_id: string, index: number, round: number) =>
  answer(api.GET('/api/v1/jobs/{job_id}/ood-tailness/{index}', { params: { path: { job_id, index }, query: { round } } }));
export const getNearest = (job_id: string, index: number, round: number) =>
  answer(api.GET('/api/v1/jobs/{job_id}/ood-tailness/{index}/nearest', { params: { path: { job_id, index }, query: { round } } }));
export const getOodHistogram = (job_id: string, round: number, cluster: string) =>
  answer(
    api.GET('/api/v1/jobs/{job_id}/ood-tailness/histogram', {
      params: { path: { job_id }, query: { round, ...(cluster && { cluster: Number(cluster) }) } },
    }),
  );

function oodQuery({ round, cluster, selected, change, min, max, order }: OodFilters) {
  return {
    round,
    order,
    ...(cluster && { cluster: Number(cluster) }),
    ...(selected && { selected: selected === 'true' }),
    ...(change && { change }),
    ...(min && { min: Number(min) }),
    ...(max && { max: Number(max) }),
  };
}

interface Paging {
  limit: number;
  cursor: string;
}

/** The first page has no cursor. */
const page = (cursor: string) => (cursor ? { cursor } : {});
