import uPlot from 'uplot';
import type { Series } from '../api/types';
import type { Table } from '../plots/csv';

type Curve = Series[string];

/** Curves over the steps of all. Undefined marks a step at which only another curve has a point. */
export function joinCurves(curves: readonly Curve[]): { step: number[]; values: (number | null | undefined)[][] } {
  if (curves.length === 0) return { step: [], values: [] };
  const [step, ...values] = uPlot.join(curves.map((curve) => [curve.step, curve.value]));
  return { step: [...step!], values: values.map((of) => [...of]) };
}

/** One row for each step and one column for each curve. */
export function curvesTable(labels: readonly string[], curves: readonly Curve[]): Table {
  const { step, values } = joinCurves(curves);
  return { header: ['step', ...labels], rows: step.map((at, row) => [at, ...values.map((of) => of[row])]) };
}
