import { EventParser, type ServerEvent } from './sse';

/** The state of the stream, as the badge shows it. */
export type Liveness = 'connecting' | 'live' | 'reconnecting' | 'ended';

export interface StreamHandlers {
  onEvent: (event: ServerEvent) => void;
  onLiveness: (liveness: Liveness) => void;
  /** Something arrived, be it only the sign of life that the server sends every 15 seconds. */
  onNews?: () => void;
}

export interface StreamOptions {
  /** The event after which the stream begins. Without it, the first event is the job's first. */
  lastId?: string;
  /** Milliseconds without anything, not even a sign of life, after which the connection counts as broken. */
  silence?: number;
  fetch?: typeof fetch;
  /** Milliseconds before the n-th attempt in a row, counted from 1. */
  backoff?: (attempt: number) => number;
}

/**
 * Follow a stream of Server-Sent Events until the server says `end`, and return a function that stops it.
 *
 * The browser's EventSource gives up on any answer but 200, such as those of a restarting server. This one tries again
 * and sends the id of its last event (`Last-Event-ID`). No event is lost or seen twice.
 */
export function follow(url: string, handlers: StreamHandlers, options: StreamOptions = {}): () => void {
  const stop = new AbortController();
  void run(url, handlers, options, stop.signal);
  return () => stop.abort();
}

const SILENCE = 40_000;

async function run(url: string, handlers: StreamHandlers, options: StreamOptions, signal: AbortSignal) {
  const { onEvent, onLiveness, onNews } = handlers;
  const get = options.fetch ?? fetch;
  const backoff = options.backoff ?? ((attempt) => Math.min(500 * 2 ** (attempt - 1), 10_000));
  let lastId = options.lastId ?? '';
  let failures = 0;
  onLiveness('connecting');
  while (!signal.aborted) {
    const connection = new AbortController();
    const stopped = () => connection.abort();
    signal.addEventListener('abort', stopped, { once: true });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listen = () => {
      clearTimeout(timer);
      timer = setTimeout(stopped, options.silence ?? SILENCE);
    };
    try {
      listen();
      const headers: Record<string, string> = { Accept: 'text/event-stream' };
      if (lastId) headers['Last-Event-ID'] = lastId;
      const response = await get(url, { headers, signal: connection.signal, cache: 'no-store' });
      // 204 tells a client to stop. A missing job will not come back.
      if (response.status === 204 || response.status === 404) return onLiveness('ended');
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      onLiveness('live');
      failures = 0;
      for await (const event of events(response.body, () => (listen(), onNews?.()))) {
        if (signal.aborted) return;
        if (event.id) lastId = event.id;
        if (event.event === 'end') return onLiveness('ended');
        onEvent(event);
      }
    } catch {
      // Refused, broken, cut off or silent: the badge shows the same.
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stopped);
    }
    if (signal.aborted) return;
    failures += 1;
    onLiveness('reconnecting');
    await pause(backoff(failures), signal);
  }
}

async function* events(body: ReadableStream<Uint8Array>, onChunk: () => void): AsyncGenerator<ServerEvent> {
  const parser = new EventParser();
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onChunk();
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
