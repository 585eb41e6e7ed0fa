import { describe, expect, it } from 'vitest';
import { COLUMNS, columnsFrom, columnsText, orderAfter, sorted, USUAL } from './columns';

const column = (id: string) => COLUMNS.find((one) => one.id === id)!;
const ids = (text: string | null) => columnsFrom(text).map(({ id }) => id);

describe('columns', () => {
  it('are in the address only where they are not the usual ones', () => {
    expect(ids(null)).toEqual(USUAL);
    expect(columnsText([...USUAL].reverse())).toBeNull();
    expect(ids('notes few unknown')).toEqual(['few', 'notes']);
    expect(columnsText(['notes', 'few'])).toBe('few notes');
    expect(ids(columnsText([]))).toEqual([]);
  });

  it('order by the better end first, then by the other', () => {
    expect(orderAfter(column('few'), '-created_at')).toBe('-few');
    expect(orderAfter(column('few'), '-few')).toBe('few');
    expect(orderAfter(column('loss'), '-few')).toBe('loss');
    expect(orderAfter(column('std'), '-few')).toBe('std');
    expect(orderAfter(column('created'), '-created_at')).toBe('created_at');
    expect([sorted(column('few'), '-few'), sorted(column('few'), 'few'), sorted(column('seed'), '-few')]).toEqual(['descending', 'ascending', undefined]);
  });
});
