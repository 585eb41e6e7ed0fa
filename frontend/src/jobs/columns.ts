/** A column of the list of jobs. */
export interface Column {
  id: string;
  name: string;
  title?: string;
  number?: boolean;
  /** What the API orders by; none where it cannot. `first` is the direction of the first click. */
  order?: string;
  first?: '' | '-';
}

/** The name of a job and its status stay. */
export const FIXED: readonly Column[] = [
  { id: 'name', name: 'Job', order: 'name', first: '' },
  { id: 'status', name: 'Status', order: 'status', first: '' },
];

/** Those that can be chosen, in the order of the table. */
export const COLUMNS: readonly Column[] = [
  { id: 'epochs', name: 'Epochs', order: 'epochs', first: '-' },
  { id: 'seed', name: 'Seed', number: true },
  { id: 'speed', name: 'Images/s', number: true },
  { id: 'left', name: 'Time left', number: true },
  { id: 'took', name: 'Duration', number: true, title: 'From the start to the end, with evaluations' },
  { id: 'curve', name: 'Loss curve', title: 'Mean loss of each epoch, on a scale of its own' },
  { id: 'loss', name: 'Loss', number: true, order: 'loss', first: '', title: 'Mean of the last finished epoch' },
  { id: 'accuracy', name: 'Accuracy, over images', number: true, order: 'accuracy', first: '-', title: 'Share of all test images that are right, in the first evaluation' },
  { id: 'few', name: 'Few, over classes', number: true, order: 'few', first: '-', title: 'Mean over the classes with the fewest training images, in the same evaluation' },
  { id: 'std', name: 'Std, of the groups', number: true, order: 'std', first: '', title: 'Population standard deviation of the means of Many, Medium and Few, in points, in the same evaluation. Lower is more even.' },
  { id: 'tags', name: 'Tags' },
  { id: 'notes', name: 'Notes' },
  { id: 'created', name: 'Created', order: 'created_at', first: '-' },
];

export const USUAL = ['epochs', 'left', 'loss', 'accuracy', 'few', 'created'];
export const USUAL_ORDER = '-created_at';

/** The columns that an address names, in the order of the table. Without any, the usual ones. */
export function columnsFrom(text: string | null): Column[] {
  const wanted = text === null ? USUAL : text.split(' ');
  return COLUMNS.filter(({ id }) => wanted.includes(id));
}

/** The text for an address; null for the usual columns. */
export function columnsText(ids: readonly string[]): string | null {
  const named = COLUMNS.map(({ id }) => id).filter((id) => ids.includes(id));
  // An empty part would be left out of the address, and so be the usual columns.
  return named.join() === USUAL.join() ? null : named.join(' ') || 'none';
}

/** The order after a click on the header of a column. */
export function orderAfter(column: Column, order: string): string {
  const { order: own = '', first = '' } = column;
  if (order.replace('-', '') !== own) return first + own;
  return order.startsWith('-') ? own : `-${own}`;
}

/** What a header says of the order, as `aria-sort`. */
export function sorted(column: Column, order: string): 'ascending' | 'descending' | undefined {
  if (column.order === undefined || order.replace('-', '') !== column.order) return undefined;
  return order.startsWith('-') ? 'descending' : 'ascending';
}
