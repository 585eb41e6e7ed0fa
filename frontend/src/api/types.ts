import type { components, paths } from './schema';

type Schemas = components['schemas'];

/** The API's models under the names the dashboard uses. */
export type Dataset = Schemas['DatasetInfo'];
export type Pool = Schemas['OodPoolInfo'];
export type Warning = Schemas['DataWarning'];
export type Job = Schemas['JobInfo'];
/** A job in a list. One that stands for those that differ by their seed alone has their means too. */
export type ListedJob = Job & Partial<Omit<Schemas['JobGroup'], keyof Job>>;
export type SeedMean = Schemas['SeedMean'];
export type JobDetails = Schemas['JobDetails'];
export type Compute = Schemas['Compute'];
export type Evaluation = Schemas['EvaluationInfo'];
export type ProbeName = Evaluation['kind'];
export type Round = Schemas['RoundInfo'];
export type OodSample = Schemas['OodSample'];
export type OodImage = Schemas['OodSampleDetail'];
export type OodChange = NonNullable<NonNullable<OodQuery>['change']>;
export type OodHistogram = Schemas['OodHistogram'];
export type ClassTailness = Schemas['ClassTailness'];
export type ClassTailnessList = Schemas['ClassTailnessList'];
export type RoundDetails = Schemas['RoundDetails'];
export type Checkpoint = Schemas['CheckpointInfo'];
export type Attempt = Schemas['AttemptInfo'];
export type Seat = Schemas['SeatInfo'];
export type Work = Schemas['Work'];
export type Analysis = Schemas['AnalysisInfo'];
export type PoolCheck = Schemas['PoolCheckInfo'];
export type PoolCheckResult = Schemas['PoolCheckResult'];
export type AnalysisKind = Analysis['kind'];
export type AnalysisResult = NonNullable<Schemas['AnalysisWithResult']['result']>;
export type Series = Record<string, Schemas['Curve']>;
export type Profile = Schemas['Profile'];
export type Comparison = Schemas['Comparison'];
export type PicksPart = NonNullable<paths['/api/v1/compare/picks']['get']['parameters']['query']['part']>;
export type JobComparison = Schemas['JobComparison'];
export type ExperimentInfo = Schemas['ExperimentInfo'];
export type Experiment = Schemas['ExperimentDetails'];
export type ExperimentArm = Schemas['ArmInfo'];
export type ExperimentRun = Schemas['RunInfo'];
export type ExperimentEstimate = Schemas['ExperimentEstimate'];
export type NewExperiment = Schemas['NewExperiment'];
export type Template = Schemas['Template'];
export type Results = Schemas['Results'];
export type ResultRow = Schemas['ResultRow'];
export type ResultFormat = NonNullable<NonNullable<paths['/api/v1/experiments/{experiment_id}/results']['get']['parameters']['query']>['format']>;
export type JobStatus = Job['status'];
export type Registered = Dataset | Pool;
export type Split = Schemas['DatasetSample']['split'];
export type NewDataset = Schemas['NewDataset'];
export type NewPool = Schemas['NewOodPool'];
export type NewPoolCheck = Schemas['NewPoolCheck'];
export type NewJob = Schemas['NewJob'];
export type JobForecast = Schemas['JobForecast'];
export type JobChanges = Schemas['JobChanges'];
export type JobsToCancel = Schemas['JobsToCancel'];
export type Devices = Schemas['DevicesInfo'];
export type NewEvaluation = Body<'/api/v1/jobs/{job_id}/evaluations'>;
export type NewAnalysis = Body<'/api/v1/jobs/{job_id}/analyses'>;
export type JobFilters = NonNullable<paths['/api/v1/jobs']['get']['parameters']['query']>;
type Body<P extends keyof paths> = paths[P] extends { post: { requestBody: { content: { 'application/json': infer B } } } } ? B : never;
type OodQuery = paths['/api/v1/jobs/{job_id}/ood-tailness']['get']['parameters']['query'];
type IdQuery = paths['/api/v1/jobs/{job_id}/tailness/samples']['get']['parameters']['query'];
export type IdOrder = NonNullable<NonNullable<IdQuery>['order']>;
export type OodOrder = NonNullable<NonNullable<OodQuery>['order']>;

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** A JSON schema as the API writes it: only what the forms read of it. */
export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  $ref?: string;
  $defs?: Record<string, Schema>;
}

/** One framework, sampler, probe or analysis, with the schema of its settings. */
export type Kind = WithSchema<Schemas['Kind']>;

/** A sampler says too whether it needs an OOD pool. */
export type SamplerChoice = WithSchema<Schemas['SamplerKind']>;

/** An analysis says too whether it needs labels. */
export type AnalysisChoice = WithSchema<Schemas['AnalysisKind']>;

/** All that can be chosen. `settings` is the schema of the settings that every job has. */
export type Kinds = WithSchema<
  Omit<Schemas['Kinds'], 'frameworks' | 'samplers' | 'probes' | 'analyses'> & {
    frameworks: Kind[];
    samplers: SamplerChoice[];
    probes: Kind[];
    analyses: AnalysisChoice[];
  }
>;

/** The document has schemas as objects of any kind. */
type WithSchema<T extends { settings: unknown }> = Omit<T, 'settings'> & { settings: Schema };
