import { asProblem, type Problem } from './problem';

/** Something loaded from the API, and what to show while it is not there. */
export interface Resource<T> {
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  readonly loading: boolean;
  refresh: () => Promise<void>;
}

/**
 * Load once the component is there, again whenever state that `load` reads has changed, and then every
 * `interval(data)` milliseconds (null: not by itself). A hidden tab does not poll. Call it while a component is set up.
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
      if (mine !== newest) return; // a later call overtook this one
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
