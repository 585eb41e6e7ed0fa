import { untrack } from 'svelte';
import {
  eventsUrl,
  getDataset,
  getJob,
  getMetrics,
  getProfile,
  listAnalyses,
  listAttempts,
  listCheckpoints,
  listEvaluations,
  listRounds,
} from '../api/calls';
import { resource } from '../api/resource.svelte';
import type { ServerEvent } from '../api/sse';
import { follow, type Liveness } from '../api/stream';
import { isFinal, type Status } from '../status';
import { throttle } from './throttle';

/** Most points of a curve that a plot of this width can show. */
const MAX_POINTS = 800;
const LOG_LINES = 200;

/**
 * All that a job's page shows, kept up to date by the job's event stream. An event only says that something is new.
 * The page then loads it, so that a page opened late shows the same as a page left open.
 */
export function liveJob(id: string) {
  let liveness = $state<Liveness>('connecting');
  let log = $state.raw<string[]>([]);

  const job = resource(() => getJob(id));
  const datasetId = $derived(job.data?.dataset_id);
  const dataset = resource(async () => (datasetId ? getDataset(datasetId) : undefined));
  const evaluatedId = $derived(job.data?.evaluation_dataset_id ?? datasetId);
  const evaluated = resource(async () => (evaluatedId ? getDataset(evaluatedId) : undefined));
  const metrics = resource(() => getMetrics(id, MAX_POINTS));
  const profile = resource(() => getProfile(id));
  const rounds = resource(() => listRounds(id));
  const checkpoints = resource(() => listCheckpoints(id));
  const attempts = resource(() => listAttempts(id));
  // The stream ends with the job. Later work on its checkpoints is polled until it is over.
  let changed = $state(0);
  const untilFinal = (page: { items: { status: Status }[] } | undefined) =>
    page && !page.items.every(({ status }) => isFinal(status)) ? 1000 : null;
  const evaluations = resource(() => (void changed, listEvaluations(id)), untilFinal);
  const analyses = resource(() => (void changed, listAnalyses(id)), untilFinal);

  const renew = {
    job: throttle(job.refresh, 700),
    metrics: throttle(metrics.refresh, 2000),
    profile: throttle(profile.refresh, 2000),
    rounds: throttle(rounds.refresh, 1000),
    evaluations: throttle(evaluations.refresh, 1000),
    analyses: throttle(analyses.refresh, 1000),
    checkpoints: throttle(checkpoints.refresh, 3000),
    attempts: throttle(attempts.refresh, 3000),
  };
  const parts = Object.values(renew);

  function onEvent({ event, data }: ServerEvent) {
    if (event === 'log') log = [...log, ...logLines(data)].slice(-LOG_LINES);
    else if (event === 'round') renew.rounds.call();
    else if (event === 'evaluation') renew.evaluations.call();
    else if (event === 'analysis') renew.analyses.call();
    else if (event === 'progress') renew.checkpoints.call();
    // An attempt knows where it resumes once it begins to train. Its log says so.
    if (event === 'status' || event === 'log') renew.attempts.call();
    if (event === 'metric' || event === 'evaluation') {
      renew.metrics.call();
      renew.profile.call();
    }
    if (event !== 'log' && event !== 'metric') renew.job.call();
  }

  function onLiveness(now: Liveness) {
    // Load what happened while nobody listened, and the last values of a job that is over.
    if (liveness === 'reconnecting' || now === 'ended') for (const part of parts) part.call();
    liveness = now;
  }

  let listening = $state(0);
  $effect(() => {
    void listening;
    log = []; // The stream sends every event from the first.
    const stop = untrack(() => follow(eventsUrl(id), { onEvent, onLiveness }));
    return () => {
      stop();
      for (const part of parts) part.cancel();
    };
  });

  return {
    job,
    dataset,
    /** The data set that its evaluations use. */
    evaluated,
    metrics,
    profile,
    rounds,
    evaluations,
    analyses,
    checkpoints,
    attempts,
    get liveness() {
      return liveness;
    },
    get log() {
      return log;
    },
    /** An evaluation or an analysis was requested, cancelled or deleted: load both lists again. */
    checkpointWorkChanged() {
      changed += 1;
    },
    /** Follow the job again after it was resumed. */
    listenAgain() {
      if (liveness === 'ended') listening += 1;
    },
  };
}

/** The text of a log event, whose data is JSON. */
function logLines(data: string): string[] {
  const parsed: unknown = JSON.parse(data);
  const { message, lines, line } = (parsed ?? {}) as Record<string, unknown>;
  if (Array.isArray(lines)) return lines.map(String);
  return [String(message ?? line ?? data)];
}
