import { root } from './root';
import { followScroll, keepScroll, restoreScroll, toTop } from './scroll';

/**
 * The current address. It holds all view state, so that a reload or a shared link shows the same.
 * `route.path` begins after the root, and has no slash at its end.
 */
class Route {
  path = $state(normalise(location.pathname));
  query = $state.raw(new URLSearchParams(location.search));

  read(): void {
    this.path = normalise(location.pathname);
    this.query = new URLSearchParams(location.search);
  }
}

export const route = new Route();

export type QueryChanges = Record<string, string | number | null>;

/** Go to another page of the dashboard, at a path below the root. */
export function navigate(path: string): void {
  go(root + path);
}

function go(href: string): void {
  keepScroll();
  history.pushState(null, '', href);
  route.read();
  toTop();
}

/** The address with parts of the view state changed. Null or an empty text removes a part. */
export function withQuery(changes: QueryChanges): string {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, String(value));
  }
  const search = query.toString();
  return location.pathname + (search && `?${search}`) + location.hash;
}

/** Change parts of the view state. The browser's back button leads to what was shown before. */
export function setQuery(changes: QueryChanges): void {
  stayAt(withQuery(changes));
}

/** As `setQuery`, but without a step of the browser's history: for state that is changed many times in a row. */
export function replaceQuery(changes: QueryChanges): void {
  history.replaceState(history.state, '', withQuery(changes));
  route.read();
}

function stayAt(href: string): void {
  if (href !== location.pathname + location.search + location.hash) {
    keepScroll();
    history.pushState(history.state, '', href); // the same place, which this step has from now on
  }
  route.read();
}

/** Follow links inside the dashboard without a reload. The browser handles links to the API, downloads and new tabs. */
export function followLinks(): () => void {
  const back = () => {
    route.read();
    restoreScroll();
  };
  const leave = followScroll();
  addEventListener('popstate', back);
  document.addEventListener('click', onClick);
  return () => {
    leave();
    removeEventListener('popstate', back);
    document.removeEventListener('click', onClick);
  };
}

function onClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
    return;
  }
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (!isBelowRoot(link.pathname)) return;
  if (/^\/(api|docs|guide|openapi\.json|metrics|healthz|readyz)\b/.test(link.pathname.slice(root.length))) return;
  // The browser goes to another part of what is shown.
  if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
  event.preventDefault();
  const href = link.pathname + link.search + link.hash;
  // Such a link changes what the page shows in place. Opened in a new tab, it shows the same.
  if (link.hasAttribute('data-in-place')) stayAt(href);
  else go(href);
}

function normalise(pathname: string): string {
  return (isBelowRoot(pathname) ? pathname.slice(root.length) : pathname).replace(/\/+$/, '') || '/';
}

function isBelowRoot(pathname: string): boolean {
  return pathname === root || pathname.startsWith(`${root}/`);
}
