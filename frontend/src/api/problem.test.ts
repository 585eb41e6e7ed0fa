import { expect, test } from 'vitest';
import { ApiError, asProblem, toProblem } from './problem';

test('a problem+json body is read whole', () => {
  const body = {
    type: 'about:blank',
    title: 'Unprocessable Content',
    status: 422,
    detail: 'The request cannot run',
    errors: [{ pointer: '/config/epochs', detail: 'must be at least 1' }],
  };
  expect(toProblem(422, body)).toEqual({
    title: 'Unprocessable Content',
    status: 422,
    detail: 'The request cannot run',
    errors: [{ pointer: '/config/epochs', detail: 'must be at least 1' }],
  });
});

test.each([['<html>Bad gateway</html>'], [null], [undefined], [{ errors: 'no list' }], [{ errors: [null, {}] }]])(
  'a body of another kind (%o) still says what happened',
  (body) => {
    const problem = toProblem(502, body);
    expect(problem.title).toBe('The server answered 502');
    expect(problem.errors).toEqual([]);
  },
);

test('a refused connection reads as such', () => {
  expect(asProblem(new TypeError('Failed to fetch'))).toMatchObject({ status: 0, title: 'No answer' });
});

test('an ApiError keeps its problem', () => {
  const problem = toProblem(409, { title: 'Conflict', detail: 'The job runs' });
  expect(asProblem(new ApiError(problem))).toBe(problem);
});
