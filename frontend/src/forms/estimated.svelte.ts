import { asProblem, type FieldError } from '../api/problem';

/** What a form's request would need, kept up to date while the form changes. */
export interface Estimated<E> {
  /** Of the last request that would be taken. Undefined while it would be refused. */
  readonly estimate: E | undefined;
  /** Why it would be refused. */
  readonly errors: FieldError[];
}

/** Typing pauses this long before a form is estimated again, in milliseconds. */
const PAUSE = 400;

/**
 * Estimate what a form asks for, again whenever it changes. Call it while a component is set up.
 *
 * @param wanted the request as the fields have it; undefined while it cannot be read.
 */
export function estimated<B, E>(wanted: () => B | undefined, call: (body: B) => Promise<E>): Estimated<E> {
  let estimate = $state.raw<E>();
  let errors = $state.raw<FieldError[]>([]);
  // As a text, which stays equal while the lists that the form reads are polled.
  const asked = $derived(JSON.stringify(wanted()));

  $effect(() => {
    const body = asked as string | undefined;
    let over = false;
    const timer = setTimeout(async () => {
      let found: E | undefined;
      let wrong: FieldError[] = [];
      try {
        found = body === undefined ? undefined : await call(JSON.parse(body) as B);
      } catch (error) {
        wrong = asProblem(error).errors;
      }
      if (!over) [estimate, errors] = [found, wrong];
    }, PAUSE);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  });

  return {
    get estimate() {
      return estimate;
    },
    get errors() {
      return errors;
    },
  };
}
