import type { AnalysisResult } from '../api/types';
import type { Cell, Table } from '../plots/csv';
import { groupOf, type Classes } from './classes';
import { isOod } from './map';

/** All numbers of a result, as its table and its CSV show them. Empty for a kind that has no figure. */
export function tableOf(result: AnalysisResult, classes: Classes): Table {
  switch (result.kind) {
    case 'uniformity':
    case 'alignment':
      return byClass(result.kind, result.by_class ?? [], classes);
    case 'tail_share':
      return columns({ gamma_percent: result.gamma, phi_tail: result.phi_tail, phi_head: result.phi_head });
    case 'cluster_minority':
      return columns({ images: result.size, minority_share: result.minority_share, tailness: result.tailness });
    case 'connectivity':
      return columns({
        threshold: result.thresholds,
        majority_without_ood: result.majority.without_ood,
        majority_with_ood: result.majority.with_ood,
        minority_without_ood: result.minority.without_ood,
        minority_with_ood: result.minority.with_ood,
      });
    case 'misclassification':
      return confusions(result, classes);
    case 'feature_map':
      return columns({
        image: result.label.map((label) => (isOod(label) ? 'OOD' : 'ID')),
        index: result.index,
        class: result.label.map((label) => (label === null || isOod(label) ? null : (classes.names[label] ?? String(label)))),
        x: result.x,
        y: result.y,
        tailness: result.tailness,
        ...(result.cluster && { cluster: result.cluster }),
        ...(result.error && { neighbours_of_other_classes: result.error }),
      });
    default:
      return { header: [], rows: [] };
  }
}

function columns(named: Record<string, readonly Cell[]>): Table {
  const values = Object.values(named);
  return { header: Object.keys(named), rows: (values[0] ?? []).map((_, row) => values.map((column) => column[row])) };
}

function byClass(quantity: string, values: readonly (number | null)[], { names, counts, order, groups }: Classes): Table {
  return {
    header: ['class', 'name', 'group', 'training_images', quantity],
    rows: order.map((index) => [index, names[index], groupOf(index, groups), counts[index], values[index]]),
  };
}

type Misclassification = Extract<AnalysisResult, { kind: 'misclassification' }>;

/** The strongest confusion first. Right predictions have no ratio and come last. */
function confusions({ counts, normalized }: Misclassification, { names }: Classes): Table {
  const rows = counts.flatMap((row, truth) =>
    row.map((images, predicted): Cell[] => [names[truth], names[predicted], images, normalized[truth]![predicted]]),
  );
  const ratio = (row: Cell[]) => (typeof row[3] === 'number' ? row[3] : -1);
  return { header: ['true_class', 'predicted_class', 'images', 'normalized'], rows: rows.sort((a, b) => ratio(b) - ratio(a)) };
}
