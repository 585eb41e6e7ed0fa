import { untrack } from 'svelte';
import { connection } from './connection.svelte';
import { asProblem, isUnanswered, type Problem } from './problem';

/** Data from the API, with the state of its loading. */
export interface Resource<T> {
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  readonly loading: boolean;
  refresh: () => Promise<void>;
}

/**
 * Load when the component is created, and again when state that `load` reads has changed. In between, poll every
 * `interval(data)` milliseconds; null stops polling. A hidden tab does not poll. Call it while a component is set up.
 */
export function resource<T>(
  load: () => Promise<T>,
  interval: (data: T | undefined) => number | null = () => null,
): Resource<T> {
  let data = $state.raw<T>();
  let problem = $state.raw<Problem>();
  let loading = $state(true);
  let newest = 0;

  async function refresh(): Promise<void> {
    const mine = (newest += 1);
    try {
      const loaded = await load();
      if (mine !== newest) return; // A later call overtook this one.
      data = loaded;
      problem = undefined;
    } catch (error) {
      if (mine !== newest) return;
      problem = asProblem(error);
    }
    loading = false;
  }

  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    async function turn(first: boolean) {
      if (first || !document.hidden) await refresh();
      const wait = interval(data);
      if (!over && wait !== null) timer = setTimeout(() => void turn(false), wait);
    }
    loading = true;
    void turn(true);
    return () => {
      over = true;
      newest += 1;
      clearTimeout(timer);
    };
  });

  $effect(() => {
    if (connection.returns) untrack(() => void (problem && isUnanswered(problem) && refresh()));
  });

  return {
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
}
