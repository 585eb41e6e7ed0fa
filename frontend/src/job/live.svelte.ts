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
import { throttle } from './throttle';

/** Points of one curve that a plot of this width can show. */
const MAX_POINTS = 800;
const LOG_LINES = 200;

/**
 * All that a job's page shows, kept up to date by the job's event stream. An event only says that something is new;
 * what is new is asked for, so that a page opened late and a page left open show the same.
 */
export function liveJob(id: string) {
  let liveness = $state<Liveness>('connecting');
  let log = $state.raw<string[]>([]);

  const job = resource(() => getJob(id));
  const datasetId = $derived(job.data?.dataset_id);
  const dataset = resource(async () => (datasetId ? getDataset(datasetId) : undefined));
  const metrics = resource(() => getMetrics(id, MAX_POINTS));
  const profile = resource(() => getProfile(id));
  const rounds = resource(() => listRounds(id));
  const evaluations = resource(() => listEvaluations(id));
  const checkpoints = resource(() => listCheckpoints(id));
  const attempts = resource(() => listAttempts(id));
  let asked = $state(0);
  // Most are made when the job is over, and with it the stream: one that is under way is asked after.
  const analyses = resource(
    () => (void asked, listAnalyses(id)),
    (page) => (page?.items.some(({ status }) => status === 'queued' || status === 'running') ? 1000 : null),
  );

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
    // Where an attempt goes on from is known once it begins to train, which its log tells.
    if (event === 'status' || event === 'log') renew.attempts.call();
    if (event === 'metric' || event === 'evaluation') {
      renew.metrics.call();
      renew.profile.call();
    }
    if (event !== 'log' && event !== 'metric') renew.job.call();
  }

  function onLiveness(now: Liveness) {
    // What happened while nobody listened, and the last word of a job that is over.
    if (liveness === 'reconnecting' || now === 'ended') for (const part of parts) part.call();
    liveness = now;
  }

  let listening = $state(0);
  $effect(() => {
    void listening;
    log = []; // the stream tells everything from its beginning
    const stop = untrack(() => follow(eventsUrl(id), { onEvent, onLiveness }));
    return () => {
      stop();
      for (const part of parts) part.cancel();
    };
  });

  return {
    job,
    dataset,
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
    /** An analysis was asked for: look until it is there. */
    lookForAnalysis() {
      asked += 1;
    },
    /** Follow a job again that was over and has been resumed. */
    listenAgain() {
      if (liveness === 'ended') listening += 1;
    },
  };
}

/** A log event's text; its data is JSON with the text in it. */
function logLines(data: string): string[] {
  const parsed: unknown = JSON.parse(data);
  const { message, lines, line } = (parsed ?? {}) as Record<string, unknown>;
  if (Array.isArray(lines)) return lines.map(String);
  return [String(message ?? line ?? data)];
}
