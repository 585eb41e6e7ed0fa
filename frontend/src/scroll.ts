import { connection } from './api/connection.svelte';

/**
 * Where a reader was on a page. It is kept with each step of the browser's history, since the browser itself forgets it
 * where a page grows while it loads.
 */

/** Milliseconds: after the last scrolling, at most for a page that still grows, and since it last grew or asked. */
const [REST, LOADING, SETTLING] = [120, 30_000, 1500];
const BY_HAND = ['wheel', 'touchstart', 'pointerdown', 'keydown'] as const;

let restoring = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Keep where the reader is now, with the present step of the history. */
export function keepScroll(): void {
  clearTimeout(timer);
  history.replaceState({ ...(history.state as object | null), scroll: Math.round(scrollY) }, '');
}

/** Scroll to where the reader left this step of the history. A page that grows is followed, until a reader scrolls by hand. */
export function restoreScroll(): void {
  const to = (history.state as { scroll?: unknown } | null)?.scroll;
  const turn = ++restoring;
  clearTimeout(timer); // it would keep the place in another step
  if (typeof to !== 'number') {
    restoring = 0;
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
    return;
  }
  const begun = performance.now();
  let [height, rested] = [0, begun];
  const stop = () => {
    if (turn === restoring) restoring = 0;
    for (const kind of BY_HAND) removeEventListener(kind, stop);
  };
  const step = (now: number) => {
    if (turn !== restoring) return stop();
    if (Math.abs(scrollY - to) > 1) scrollTo(0, to);
    const high = document.documentElement.scrollHeight;
    if (high !== height || Math.abs(scrollY - to) > 1 || connection.waits) [height, rested] = [high, now];
    if (now - begun > LOADING || now - rested > SETTLING) return stop();
    requestAnimationFrame(step);
  };
  for (const kind of BY_HAND) addEventListener(kind, stop, { passive: true });
  requestAnimationFrame(step);
}

/** Forget what is being restored: another page begins at its top. */
export function toTop(): void {
  restoring = 0;
  scrollTo(0, 0);
}

/** Keep the place whenever the reader has scrolled. */
export function followScroll(): () => void {
  history.scrollRestoration = 'manual';
  const onscroll = () => {
    if (restoring) return;
    clearTimeout(timer);
    timer = setTimeout(keepScroll, REST);
  };
  addEventListener('scroll', onscroll, { passive: true });
  restoreScroll(); // after a reload
  return () => {
    clearTimeout(timer);
    removeEventListener('scroll', onscroll);
  };
}
