import type { OodImage } from '../api/types';
import { decimal, integer } from '../format';

/** What a round's choice depends on beside the image. */
export interface Choosing {
  sampler: string;
  /** The sampler in a sentence or two. */
  summary: string;
  /** Whether the round could pick only images that it embedded again. */
  candidates: boolean;
  /** Whether the round stopped before its budget was used. */
  stopped: boolean;
}

/** Samplers that give each cluster a budget, and fill it with the images most similar to its centre. */
const BY_CLUSTER = ['colt', 'spread'];

/** Why a round picked an image or did not, as far as its scores tell. */
export function why(image: OodImage, { sampler, summary, candidates, stopped }: Choosing): string {
  const { round, selected, cluster, similarity, standing } = image;
  const did = `Round ${round} ${selected ? 'picked' : 'did not pick'} it`;
  if (sampler === 'random') return `${did}: the sampler draws from the pool at random, whatever the tailness.`;
  if (!BY_CLUSTER.includes(sampler)) return `${did}, by another rule than tailness. ${summary}`;
  const { cluster_rank: rank, cluster_size: size, budget } = standing;
  const granted = `Cluster ${cluster} could pick ${integer(budget)}`;
  const placed = `Of the ${integer(size)} pool images nearest to cluster ${cluster}, it is number ${integer(rank)} by similarity to the centre (cosine ${decimal(similarity, 2)})`;
  if (selected) {
    const other = ' Clusters pick in turn, and one can take images that lie nearer to another.';
    return `${did}. ${placed}. ${granted}.${rank > budget ? other : ''}`;
  }
  if (budget === 0) return `${did}: cluster ${cluster}, the nearest, had no budget.`;
  if (rank > budget) return `${did}. ${placed}. ${granted}.`;
  const reasons = [
    'its budget also went to images that lie nearer to another cluster',
    ...(candidates ? ['or the round did not embed this image, and its scores are estimates'] : []),
    ...(stopped ? ['or the round stopped early'] : []),
  ];
  return `${did}. ${placed}. ${granted}: ${reasons.join(', ')}.`;
}
