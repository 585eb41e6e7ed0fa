import { listKinds } from './calls';
import { asProblem, type Problem } from './problem';
import type { Resource } from './resource.svelte';
import type { Kind, Kinds } from './types';

let data = $state.raw<Kinds>();
let problem = $state.raw<Problem>();
let loading = $state(false);

async function refresh(): Promise<void> {
  if (loading) return;
  loading = true;
  problem = undefined;
  try {
    data = await listKinds();
  } catch (error) {
    problem = asProblem(error);
  }
  loading = false;
}

const kinds: Resource<Kinds> = {
  get data() {
    return data;
  },
  get problem() {
    return problem;
  },
  get loading() {
    return loading;
  },
  refresh,
};

/** All that can be chosen. It is loaded once, by the first page that needs it, and again after a failure. */
export function useKinds(): Resource<Kinds> {
  if (data === undefined) void refresh();
  return kinds;
}

/** The name of a kind for people. It is the kind itself until the list is there, or when the list does not have it. */
export function titleOf(list: readonly Kind[] | undefined, kind: string): string {
  return list?.find((entry) => entry.kind === kind)?.title ?? kind;
}
