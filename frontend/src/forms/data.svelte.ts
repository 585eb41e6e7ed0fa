import { listDatasets, listPools } from '../api/calls';
import { resource, type Resource } from '../api/resource.svelte';
import type { Dataset, Page, Pool } from '../api/types';

/** The data that a form can choose from. It waits for what is still being registered. */
export interface Data {
  readonly datasets: Resource<Page<Dataset>>;
  readonly pools: Resource<Page<Pool>>;
  readonly readyDatasets: Dataset[];
  readonly readyPools: Pool[];
}

/** Call it while a component is set up. */
export function useData(): Data {
  const waits = (page: Page<{ status: string }> | undefined) => (page?.items.every(({ status }) => status !== 'registering') ? null : 1500);
  const datasets = resource<Page<Dataset>>(() => listDatasets(''), waits);
  const pools = resource<Page<Pool>>(() => listPools(''), waits);
  const readyDatasets = $derived(datasets.data?.items.filter(({ status }) => status === 'ready') ?? []);
  const readyPools = $derived(pools.data?.items.filter(({ status }) => status === 'ready') ?? []);
  return {
    datasets,
    pools,
    get readyDatasets() {
      return readyDatasets;
    },
    get readyPools() {
      return readyPools;
    },
  };
}

/** The first pool whose images have the size of the data set's; else the first. */
export const fittingPool = (pools: readonly Pool[], size: number | null | undefined): Pool | undefined =>
  pools.find(({ image_size }) => image_size === size) ?? pools[0];
