import type { Analysis, Attempt, Evaluation, JobStatus, PoolCheck, Registered } from './api/types';

export type Tone = 'plain' | 'busy' | 'good' | 'warn' | 'bad';

export interface Meaning {
  tone: Tone;
  /** Nothing more happens by itself. */
  final: boolean;
}

type WorkStatus = Evaluation['status'] | Analysis['status'] | PoolCheck['status'];
type RegistrationStatus = Registered['status'];
type Outcome = NonNullable<Attempt['outcome']>;
type Presence = 'live' | 'silent';

/** Every status that a badge can show. */
export type Status = JobStatus | WorkStatus | RegistrationStatus | Outcome | Presence;

// The keys are the API's own. The type check fails when the API has a status that is missing here.
const JOB: Record<JobStatus, Meaning> = {
  queued: { tone: 'plain', final: false },
  running: { tone: 'busy', final: false },
  cancelling: { tone: 'warn', final: false },
  cancelled: { tone: 'warn', final: true },
  failed: { tone: 'bad', final: true },
  succeeded: { tone: 'good', final: true },
};
/** Evaluations, analyses and pool checks. */
const WORK: Record<WorkStatus, Meaning> = JOB;
const REGISTRATION: Record<RegistrationStatus, Meaning> = {
  registering: { tone: 'busy', final: false },
  ready: { tone: 'good', final: true },
  failed: { tone: 'bad', final: true },
};
const OUTCOME: Record<Outcome, Meaning> = {
  succeeded: { tone: 'good', final: true },
  failed: { tone: 'bad', final: true },
  cancelled: { tone: 'warn', final: true },
  worker_lost: { tone: 'bad', final: true },
  shut_down: { tone: 'warn', final: true },
};
const PRESENCE: Record<Presence, Meaning> = {
  live: { tone: 'good', final: false },
  silent: { tone: 'bad', final: false },
};

export const STATUSES: Record<Status, Meaning> = { ...PRESENCE, ...OUTCOME, ...REGISTRATION, ...WORK, ...JOB };
export const JOB_STATUSES = Object.keys(JOB) as JobStatus[];

/** Whether nothing more happens to something of this status by itself. */
export const isFinal = (status: Status): boolean => STATUSES[status].final;

/** Whether a job or work on a checkpoint of this status can be cancelled. */
export const canCancel = (status: JobStatus | WorkStatus): boolean => status === 'queued' || status === 'running';
