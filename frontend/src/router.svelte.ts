/**
 * The current address. It holds all view state, so that a reload or a shared link shows the same.
 * `route.path` has no slash at its end.
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

/** Go to another page of the dashboard. */
export function navigate(href: string): void {
  history.pushState(null, '', href);
  route.read();
  scrollTo(0, 0);
}

/**
 * Change parts of the view state. Null or an empty text removes a part. The browser's history gets a step, so that back
 * undoes it, unless `step` is false: for many small changes, such as ticks.
 */
export function setQuery(changes: Record<string, string | number | null>, { step = true } = {}): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, String(value));
  }
  const search = query.toString();
  const address = location.pathname + (search && `?${search}`) + location.hash;
  if (address === location.pathname + location.search + location.hash) return;
  if (step) history.pushState(null, '', address);
  else history.replaceState(null, '', address);
  route.read();
}

/** Follow links inside the dashboard without a reload. The browser handles links to the API, downloads and new tabs. */
export function followLinks(): () => void {
  const back = () => route.read();
  addEventListener('popstate', back);
  document.addEventListener('click', onClick);
  return () => {
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
  if (/^\/(api|docs|guide|openapi\.json|metrics|healthz|readyz)\b/.test(link.pathname)) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  navigate(link.pathname + link.search + link.hash);
}

function normalise(pathname: string): string {
  return pathname.replace(/\/+$/, '') || '/';
}
