import type { components, paths } from './schema';

type Schemas = components['schemas'];

/** The API's models under the names the dashboard uses. */
export type Dataset = Schemas['DatasetInfo'];
export type Pool = Schemas['OodPoolInfo'];
export type Job = Schemas['JobInfo'];
export type Compute = Schemas['Compute'];
export type Evaluation = Schemas['EvaluationInfo'];
export type Round = Schemas['RoundInfo'];
export type Checkpoint = Schemas['CheckpointInfo'];
export type Attempt = Schemas['AttemptInfo'];
export type Work = Schemas['Work'];
export type Analysis = Schemas['AnalysisInfo'];
export type AnalysisKind = Analysis['kind'];
export type AnalysisResult = NonNullable<Schemas['AnalysisWithResult']['result']>;
export type Series = Record<string, Schemas['Curve']>;
export type Profile = Schemas['Profile'];
export type Comparison = Schemas['Comparison'];
export type Status = Job['status'];
export type Split = Schemas['DatasetSample']['split'];
export type NewDataset = Schemas['NewDataset'];
export type NewPool = Schemas['NewOodPool'];
export type NewJob = Schemas['NewJob'];
export type NewAnalysis = paths['/api/v1/jobs/{job_id}/analyses']['post']['requestBody']['content']['application/json'];
export type PresetName = NonNullable<Job['config']['preset']>;
export type Framework = Job['config']['framework'];
export type Sampler = Job['config']['sampler'];
export type Order = NonNullable<NonNullable<paths['/api/v1/jobs']['get']['parameters']['query']>['order']>;
type OodQuery = paths['/api/v1/jobs/{job_id}/ood-tailness']['get']['parameters']['query'];
export type OodOrder = NonNullable<NonNullable<OodQuery>['order']>;

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

const FINAL: ReadonlySet<Status> = new Set<Status>(['succeeded', 'failed', 'cancelled']);

/** Whether nothing more happens to a job of this status by itself. */
export const isFinal = (status: Status): boolean => FINAL.has(status);
