import type { Profile } from '../api/types';

type Phase = Exclude<keyof Profile, 'epochs'>;

/** The phases of a run, in the order in which they are drawn. */
const PHASES: [Phase, label: string, note: string, color: string][] = [
  ['forward_backward', 'Forward, backward', 'Encoder, losses, gradients and the optimiser', '#0072b2'],
  ['data', 'Data', 'Reading images and augmenting them', '#56b4e9'],
  ['tailness', 'Tailness', 'Tracking the tailness of the training images', '#cc79a7'],
  ['round', 'Sampling rounds', 'Includes the forward passes of the pool', '#d55e00'],
  ['other', 'Other', 'The rest of an epoch: recording, waiting and the loop', 'var(--ink-faint)'],
  ['evaluation', 'Evaluation', 'The evaluations that were requested with the job', '#009e73'],
];

/** The part of one phase in the whole. */
export interface Part {
  phase: Phase;
  label: string;
  note: string;
  color: string;
  seconds: number;
  /** Share of the whole measured time, 0..1. */
  share: number;
}

/** The phases that took any time, with their shares. */
export function partsOf(profile: Profile): Part[] {
  const whole = PHASES.reduce((sum, [phase]) => sum + (profile[phase] ?? 0), 0);
  return PHASES.flatMap(([phase, label, note, color]) => {
    const seconds = profile[phase] ?? 0;
    return seconds > 0 ? [{ phase, label, note, color, seconds, share: seconds / whole }] : [];
  });
}

/** Mean seconds of an epoch. Null before the first one is over. */
export function epochSeconds(profile: Profile): number | null {
  const { epochs, data, forward_backward, tailness, round, other } = profile;
  return epochs ? (data + forward_backward + tailness + round + other) / epochs : null;
}
