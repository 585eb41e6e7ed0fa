import type { Classes } from '../analyses/classes';
import { groupOf } from '../analyses/classes';
import type { ClassTailness, ClassTailnessList } from '../api/types';
import { decimal, integer } from '../format';
import type { Table } from '../plots/csv';
import type { Line } from '../plots/lines';
import { headToTail } from '../plots/ordering';
import { GROUP_COLORS, looksOf } from '../plots/palette';
import type { Point } from '../plots/points';

/** Lines that a reader can tell apart. */
export const MOST_LINES = 20;
const NO_GROUP = 'var(--ink-faint)';

/** One dot for each class that has images and was measured: x is log10 of their number. */
export function sizePoints(items: readonly ClassTailness[], groups: Classes['groups']): Point[] {
  return items.flatMap(({ label, class_name, count, mean_tailness }) => {
    if (count === 0 || mean_tailness === null) return [];
    const group = groupOf(label, groups);
    const story = `${class_name}${group ? ` (${group})` : ''}, ${integer(count)} training images: mean tailness ${decimal(mean_tailness)}`;
    return [{ x: Math.log10(count), y: mean_tailness, color: group ? GROUP_COLORS[group] : NO_GROUP, radius: 5, shape: 'dot' as const, story }];
  });
}

/** A number of images on an axis of log10, with two digits. */
export const countOfLog = (value: number): string => Number((10 ** value).toPrecision(2)).toLocaleString('en');

/** The classes over the epochs, from head to tail. Of many classes: the means of the groups, and the class asked for. */
export function historyLines({ items }: Pick<ClassTailnessList, 'items'>, groups: Classes['groups'], asked: string): Line[] {
  const marked = items[0]?.history.length === 1;
  if (items.length <= MOST_LINES) {
    const looks = looksOf(items.length);
    return headToTail(items.map(({ count }) => count)).map((place, rank) => {
      const { dash, color } = looks[rank]!;
      const { class_name, count, history } = items[place]!;
      return { label: `${class_name} · ${integer(count)}`, value: history, color, marked, ...(dash && { dash }) };
    });
  }
  const means = (['many', 'medium', 'few'] as const).flatMap((name): Line[] => {
    const members = items.filter(({ label }) => groups[name].includes(label));
    if (!members.length) return [];
    return [{ label: `mean of ${name}`, value: meanHistory(members), color: GROUP_COLORS[name], marked }];
  });
  const chosen = items.find(({ label }) => String(label) === asked);
  return chosen ? [...means, { label: chosen.class_name, value: chosen.history, dash: [5, 4], marked }] : means;
}

/** The mean of classes after each epoch. All classes count the same; one without images is left out. */
function meanHistory(members: readonly ClassTailness[]): (number | null)[] {
  return members[0]!.history.map((_, epoch) => {
    const known = members.map(({ history }) => history[epoch] ?? null).filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  });
}

/** What the plot shows, as a table from head to tail. */
export function classTable({ items }: Pick<ClassTailnessList, 'items'>): Table {
  const order = headToTail(items.map(({ count }) => count));
  return {
    header: ['class', 'name', 'training_images', 'mean_tailness'],
    rows: order.map((place) => items[place]!).map(({ label, class_name, count, mean_tailness }) => [label, class_name, count, mean_tailness]),
  };
}
