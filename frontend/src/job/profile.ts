import type { Profile } from '../api/types';

type Phase = Exclude<keyof Profile, 'epochs'>;

/** What a run's time goes to, in the order in which it is drawn. */
const PHASES: [Phase, label: string, note: string, color: string][] = [
  ['forward_backward', 'Forward, backward', 'Encoder, losses, gradients and the optimiser', '#0072b2'],
  ['data', 'Data', 'Reading images and augmenting them', '#56b4e9'],
  ['tailness', 'Tailness', 'Tracking the tailness of the training images', '#cc79a7'],
  ['round', 'Sampling rounds', 'The pool’s forward passes included', '#d55e00'],
  ['other', 'Other', 'The rest of an epoch: recording, waiting, the loop', 'var(--ink-faint)'],
  ['evaluation', 'Evaluation', 'The probes that the job was submitted with', '#009e73'],
];

/** One phase's part of the whole. */
export interface Part {
  phase: Phase;
  label: string;
  note: string;
  color: string;
  seconds: number;
  /** Of all that was measured, 0..1. */
  share: number;
}

/** What took any time at all, and its share. */
export function partsOf(profile: Profile): Part[] {
  const whole = PHASES.reduce((sum, [phase]) => sum + (profile[phase] ?? 0), 0);
  return PHASES.flatMap(([phase, label, note, color]) => {
    const seconds = profile[phase] ?? 0;
    return seconds > 0 ? [{ phase, label, note, color, seconds, share: seconds / whole }] : [];
  });
}

/** Seconds of one epoch on average; null before the first one is over. */
export function epochSeconds(profile: Profile): number | null {
  const { epochs, data, forward_backward, tailness, round, other } = profile;
  return epochs ? (data + forward_backward + tailness + round + other) / epochs : null;
}
