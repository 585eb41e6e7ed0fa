import type { Component } from 'svelte';

type PageModule = { default: Component<{ id: string }> };
type Load = () => Promise<PageModule>;

/** A page of the dashboard. Its code is loaded when it is opened, so that the first one opens soon. */
export interface Page {
  /** The entry of the navigation that it belongs to. */
  section: string;
  /** Of what it shows; empty for a list. */
  id: string;
  load: Load;
  /** Another key is another page, which begins anew. */
  key: string;
}

// Pages of lists take no id. One that they do not know is passed over.
const load = (page: () => Promise<{ default: unknown }>): Load => page as Load;
const LISTS = new Map<string, Load>(Object.entries({
  jobs: load(() => import('./pages/JobsPage.svelte')),
  compare: load(() => import('./pages/ComparePage.svelte')),
  experiments: load(() => import('./pages/ExperimentsPage.svelte')),
  datasets: load(() => import('./pages/DatasetsPage.svelte')),
  pools: load(() => import('./pages/PoolsPage.svelte')),
  workers: load(() => import('./pages/WorkersPage.svelte')),
  'jobs/new': load(() => import('./pages/NewJobPage.svelte')),
  'experiments/new': load(() => import('./pages/NewExperimentPage.svelte')),
}));
const ONES = new Map<string, Load>(Object.entries({
  jobs: load(() => import('./pages/JobPage.svelte')),
  experiments: load(() => import('./pages/ExperimentPage.svelte')),
  datasets: load(() => import('./pages/DatasetPage.svelte')),
  pools: load(() => import('./pages/PoolPage.svelte')),
}));
const nothing = load(() => import('./pages/NotFoundPage.svelte'));

/** The page at a path, which has no slash at its end. */
export function pageOf(path: string): Page {
  const parts = path.split('/').slice(1);
  const name = parts[0] || 'jobs';
  const id = parts[1] ?? '';
  const list = LISTS.get(parts.length > 1 ? parts.join('/') : name);
  const one = parts.length === 2 ? ONES.get(name) : undefined;
  const section = name === 'compare' ? 'jobs' : name;
  if (list) return { section, id: '', load: list, key: path };
  return { section, id, load: one ?? nothing, key: path };
}
