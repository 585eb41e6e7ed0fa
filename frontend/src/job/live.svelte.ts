import { onDestroy, untrack } from 'svelte';
import {
  eventsUrl,
  getDataset,
  getLog,
  getMetrics,
  getProfile,
  listAnalyses,
  listAttempts,
  listCheckpoints,
  listEvaluations,
  listRounds,
  listSeats,
} from '../api/calls';
import { connection } from '../api/connection.svelte';
import { resource, type Resource } from '../api/resource.svelte';
import type { ServerEvent } from '../api/sse';
import { follow, type Liveness } from '../api/stream';
import type { JobDetails, Series } from '../api/types';
import { lastWholeStep, withNewPoints } from '../plots/series';
import { isFinal, type Status } from '../status';
import { withNewLines } from './log';
import { told } from './told';
import { throttle } from './throttle';

/** Most points of a curve that a plot of this width can show. */
const MAX_POINTS = 600;
/** Most points of a curve that come at once while it grows. */
const NEW_POINTS = 40;
const LOG_LINES = 500;

/**
 * All that a job's page shows, kept up to date by the job's event stream. It begins after the last event that the job's
 * values hold, and the rest is loaded after the job. So nothing is missed, and nothing is loaded twice. A job that is over has
 * no stream.
 *
 * Most events only say that something is new. The page then loads it, so that a page opened late shows the same as a page
 * left open. What an event says of the progress is taken from it.
 *
 * @param job is loaded already.
 */
export function liveJob(job: Resource<JobDetails>) {
  const first = job.data!;
  const id = first.id;
  // Progress as the last event told it. The job's own values, loaded again, replace it.
  let news = $state.raw<{ of: JobDetails; progress: Partial<JobDetails['progress']>; loss?: number }>();
  const shown = $derived.by(() => {
    const own = job.data ?? first;
    if (!news || news.of !== own) return own;
    return { ...own, loss: news.loss ?? own.loss, progress: { ...own.progress, ...news.progress } };
  });

  const dataset = resource(() => getDataset(first.dataset_id));
  const otherId = first.evaluation_dataset_id;
  const evaluated = otherId && otherId !== first.dataset_id ? resource(() => getDataset(otherId)) : dataset;

  // Only new points are loaded, until something may have replaced the old ones.
  let curves: Series | undefined;
  const metrics = resource(async () => {
    const known = curves;
    const after = known ? lastWholeStep(known) : -1;
    const found = await getMetrics(id, known ? NEW_POINTS : MAX_POINTS, after);
    return (curves = known ? withNewPoints(known, found, after, MAX_POINTS) : found);
  });
  let lastEvent = first.last_event_id;
  let logged = 0;
  let log: string[] = [];
  const lines = resource(async () => {
    const until = lastEvent;
    log = withNewLines(log, await getLog(id, { last: LOG_LINES, after_event: logged }), LOG_LINES);
    logged = until;
    return log;
  });
  const profile = resource(() => getProfile(id));
  const rounds = resource(() => listRounds(id));
  const checkpoints = resource(() => listCheckpoints(id));
  const attempts = resource(() => listAttempts(id));
  // A job on one machine has none, so nothing is asked then.
  const seats = resource(async () => (first.config.num_hosts > 1 ? listSeats(id) : undefined));
  // The stream ends with the job. Later work on its checkpoints is polled until it is over.
  let changed = $state(0);
  const untilFinal = (page: { items: { status: Status }[] } | undefined) =>
    page && !page.items.every(({ status }) => isFinal(status)) ? 1000 : null;
  const evaluations = resource(() => (void changed, listEvaluations(id)), untilFinal);
  const analyses = resource(() => (void changed, listAnalyses(id)), untilFinal);

  const renew = {
    job: throttle(job.refresh, 700),
    metrics: throttle(metrics.refresh, 4000),
    profile: throttle(profile.refresh, 10_000),
    rounds: throttle(rounds.refresh, 1000),
    evaluations: throttle(evaluations.refresh, 1000),
    analyses: throttle(analyses.refresh, 1000),
    checkpoints: throttle(checkpoints.refresh, 5000),
    attempts: throttle(attempts.refresh, 3000),
    seats: throttle(seats.refresh, 3000),
    log: throttle(lines.refresh, 3000),
  };
  const parts = Object.values(renew);

  function onEvent(event: ServerEvent) {
    if (event.id) lastEvent = Number(event.id);
    const kind = event.event;
    if (kind === 'progress' || kind === 'metric') {
      const own = job.data!;
      const { progress, loss, epoch } = told(event);
      const before = news?.of === own ? news : undefined;
      news = { of: own, progress: { ...before?.progress, ...progress }, loss: loss ?? before?.loss };
      if (kind === 'metric') renew.metrics.call();
      if (epoch) renew.profile.call();
      return;
    }
    if (kind === 'log') {
      renew.log.call();
      // A checkpoint is a line of the log. And an attempt knows where it resumes once it begins to train.
      renew.checkpoints.call();
      if (attempts.data?.items.at(-1)?.from_epoch == null) renew.attempts.call();
      return;
    }
    if (kind === 'round') renew.rounds.call();
    else if (kind === 'evaluation') renew.evaluations.call();
    else if (kind === 'analysis') renew.analyses.call();
    else if (kind === 'status') {
      curves = undefined; // Another attempt begins at a checkpoint: later points go.
      renew.metrics.call();
      renew.attempts.call();
      renew.seats.call();
    }
    if (kind === 'evaluation') renew.profile.call();
    renew.job.call();
  }

  function renewAll() {
    curves = undefined;
    for (const part of parts) part.call();
  }

  // Once true, it stays so.
  let settled = $state(false);
  const initial: Resource<unknown>[] = [dataset, evaluated, metrics, profile, rounds, checkpoints, attempts, evaluations, analyses];
  $effect(() => {
    if (initial.every(({ data, problem }) => data !== undefined || problem !== undefined)) settled = true;
  });

  let liveness = $state<Liveness>(isFinal(first.status) ? 'ended' : 'connecting');
  function onLiveness(now: Liveness) {
    // Load what happened while nobody listened, and the last values of a job that is over.
    if (liveness === 'reconnecting' || now === 'ended') renewAll();
    liveness = now;
  }

  let listening = $state(isFinal(first.status) ? 0 : 1);
  $effect(() => {
    if (!listening) return;
    const lastId = untrack(() => String(job.data?.last_event_id ?? 0));
    return untrack(() => follow(eventsUrl(id), { onEvent, onLiveness, onNews: connection.news }, { lastId }));
  });
  onDestroy(() => parts.forEach((part) => part.cancel()));

  return {
    /** With the latest news of its progress. */
    get shown() {
      return shown;
    },
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
    seats,
    log: lines,
    /** Whether all is there, or was refused. Before that, what is drawn below would move. */
    get settled() {
      return settled;
    },
    get liveness() {
      return liveness;
    },
    /** An evaluation or an analysis was requested, cancelled or deleted: load both lists again. */
    checkpointWorkChanged() {
      changed += 1;
    },
    /** The job was cancelled or resumed: load it again, and follow it again where it goes on. */
    async changed() {
      await job.refresh();
      if (liveness !== 'ended' || !job.data || isFinal(job.data.status)) return;
      renewAll();
      listening += 1;
    },
  };
}
