import type { AnalysisKind, AnalysisResult } from '../api/types';
import type { Table } from '../plots/csv';
import type { Classes } from './classes';

/** What the figure of a result of this kind is given. */
export interface FigureProps<K extends AnalysisKind> {
  result: Extract<AnalysisResult, { kind: K }>;
  classes: Classes;
  /** The same numbers as a table. */
  table: Table;
  /** Of its exports, without an ending. */
  filename: string;
  /** The run's. */
  color: string;
}
