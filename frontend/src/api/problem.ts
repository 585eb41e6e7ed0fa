/** An error as the API sends it (RFC 9457). An answer from elsewhere, such as a proxy, is turned into one. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  errors: FieldError[];
}

export interface FieldError {
  /** JSON pointer into the request's body, such as `/config/epochs`. */
  pointer: string;
  detail: string;
}

/** A problem, thrown. Its `status` is 0 when there was no answer, or no request. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.problem = problem;
  }
}

/** Read an answer with an error status. Its body may be anything: a proxy in between answers in HTML. */
export function toProblem(status: number, body: unknown): Problem {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  return {
    title: text(fields.title) || `The server answered ${status}`,
    status,
    detail: text(fields.detail),
    errors: Array.isArray(fields.errors) ? fields.errors.flatMap(toFieldError) : [],
  };
}

/** The request got no answer: the server is down, or the connection broke. */
export function unreachable(): Problem {
  return { title: 'No answer', status: 0, detail: 'The service does not answer. Check that it is running.', errors: [] };
}

/** Whether there was no answer. The notice of the page says so, once for all its cards. */
export const isUnanswered = ({ status, title }: Problem): boolean => status === 0 && title === unreachable().title;

export function asProblem(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  if (error instanceof TypeError) return unreachable(); // This is how fetch rejects.
  return { title: 'Something went wrong', status: 0, detail: String(error), errors: [] };
}

function toFieldError(entry: unknown): FieldError[] {
  const { pointer, detail } = (entry ?? {}) as Record<string, unknown>;
  return text(detail) ? [{ pointer: text(pointer), detail: text(detail) }] : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
