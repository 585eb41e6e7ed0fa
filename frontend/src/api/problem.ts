/** An error as the API sends it (RFC 9457), or the nearest thing to it when the answer came from elsewhere. */
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

/** Thrown by every call that did not succeed; `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.problem = problem;
  }
}

/** Read what came back with an error status. The body may be anything: a proxy in between answers in HTML. */
export function toProblem(status: number, body: unknown): Problem {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  return {
    title: text(fields.title) || `The server answered ${status}`,
    status,
    detail: text(fields.detail),
    errors: Array.isArray(fields.errors) ? fields.errors.flatMap(toFieldError) : [],
  };
}

/** The request never got an answer: the server is down, or the connection broke. */
export function unreachable(): Problem {
  return { title: 'No answer', status: 0, detail: 'The service does not answer. Is it still running?', errors: [] };
}

export function asProblem(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  if (error instanceof TypeError) return unreachable(); // what fetch rejects with
  return { title: 'Something went wrong', status: 0, detail: String(error), errors: [] };
}

function toFieldError(entry: unknown): FieldError[] {
  const { pointer, detail } = (entry ?? {}) as Record<string, unknown>;
  return text(detail) ? [{ pointer: text(pointer), detail: text(detail) }] : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
