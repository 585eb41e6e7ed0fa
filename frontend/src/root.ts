const written = globalThis.document?.querySelector<HTMLMetaElement>('meta[name=root]')?.content ?? '/';

/**
 * The path under which a proxy publishes the service (`COLT_ROOT_PATH`), empty or as `/colt`. The server writes it into
 * the page. Every address of the service begins with it.
 */
export const root = written.replace(/\/$/, '');
