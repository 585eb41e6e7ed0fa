import type { AnalysisKind, AnalysisResult } from '../api/types';
import type { Table } from '../plots/csv';
import type { Classes } from './classes';

/** The properties of the figure of a result of this kind. */
export interface FigureProps<K extends AnalysisKind> {
  result: Extract<AnalysisResult, { kind: K }>;
  classes: Classes;
  /** The same numbers as a table. */
  table: Table;
  /** The name of its exports, without an ending. */
  filename: string;
  /** The color of the run. */
  color: string;
}
