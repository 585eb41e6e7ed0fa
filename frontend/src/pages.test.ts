import { expect, test } from 'vitest';
import { pageOf } from './pages';

test('an address names a page, what it shows and its place in the navigation', () => {
  expect(pageOf('/')).toMatchObject({ section: 'jobs', id: '' });
  expect(pageOf('/').load).toBe(pageOf('/jobs').load);
  expect(pageOf('/compare')).toMatchObject({ section: 'jobs', id: '' });
  expect(pageOf('/jobs/new')).toMatchObject({ section: 'jobs', id: '' });
  expect(pageOf('/jobs/ab')).toMatchObject({ section: 'jobs', id: 'ab' });
  expect(pageOf('/jobs/ab').load).not.toBe(pageOf('/jobs/new').load);
  expect(pageOf('/jobs/ab').key).not.toBe(pageOf('/jobs/cd').key);
});

test('other addresses are not there', () => {
  const nothing = pageOf('/nothing').load;
  for (const path of ['/workers/1', '/jobs/a/b', '/compare/x', '/constructor']) expect(pageOf(path).load).toBe(nothing);
});
