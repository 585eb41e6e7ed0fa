import type { ServerEvent } from '../api/sse';
import type { Job } from '../api/types';

interface Told {
  progress: Partial<Job['progress']>;
  /** Mean of an epoch that has just ended. */
  loss?: number;
  /** Whether an epoch has ended. */
  epoch: boolean;
}

const FIELDS = ['epoch', 'epochs', 'step', 'steps', 'images_per_second', 'eta_seconds'] as const;

/** What a `progress` or a `metric` event says of the job itself. */
export function told({ event, data }: Pick<ServerEvent, 'event' | 'data'>): Told {
  const said = JSON.parse(data) as Record<string, unknown>;
  const numbers = event === 'progress' ? said : {};
  const progress = Object.fromEntries(FIELDS.filter((name) => typeof numbers[name] === 'number').map((name) => [name, numbers[name]]));
  const loss = event === 'metric' ? (said.values as Record<string, number> | undefined)?.epoch_loss : undefined;
  return { progress, ...(typeof loss === 'number' && { loss }), epoch: loss !== undefined };
}
