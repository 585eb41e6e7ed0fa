import { expect, test } from 'vitest';
import type { ServerEvent } from './sse';
import { follow, type Liveness } from './stream';

type Step = (request: { lastId: string | null }) => Response | Promise<Response>;

/** Follow a server that answers the n-th request by the n-th step, until the stream has ended. */
async function run(steps: Step[]) {
  const seen: string[] = [];
  const states: Liveness[] = [];
  const asked: (string | null)[] = [];
  const waits: number[] = [];
  await new Promise<void>((ended) => {
    follow(
      '/events',
      {
        onEvent: ({ id, data }: ServerEvent) => seen.push(`${id}:${data}`),
        onLiveness: (state) => {
          states.push(state);
          if (state === 'ended') ended();
        },
      },
      {
        backoff: (attempt) => (waits.push(attempt), 0),
        fetch: async (_url, init) => {
          const lastId = new Headers(init?.headers).get('Last-Event-ID');
          asked.push(lastId);
          return steps.shift()!({ lastId });
        },
      },
    );
  });
  return { seen, states, asked, waits };
}

const stream = (text: string): Step => () => new Response(text);
const END = 'event: end\ndata: {}\n\n';

test('events are reported in order until the end', async () => {
  const { seen, states } = await run([stream(`id: 1\ndata: a\n\nid: 2\ndata: b\n\n${END}`)]);
  expect(seen).toEqual(['1:a', '2:b']);
  expect(states).toEqual(['connecting', 'live', 'ended']);
});

test('a broken stream continues after the last event', async () => {
  const { seen, states, asked } = await run([stream('id: 1\ndata: a\n\n'), stream(`id: 2\ndata: b\n\n${END}`)]);
  expect(asked).toEqual([null, '1']);
  expect(seen).toEqual(['1:a', '2:b']);
  expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live', 'ended']);
});

test('a server that restarts is asked again, more and more slowly, and patience starts over after a success', async () => {
  const refused: Step = () => Promise.reject(new TypeError('refused'));
  const { states, waits } = await run([
    refused,
    () => new Response('', { status: 503 }),
    stream('id: 1\ndata: a\n\n'),
    stream(END),
  ]);
  expect(waits).toEqual([1, 2, 1]);
  expect(states.filter((state) => state === 'live')).toHaveLength(2);
});

test('a job that is gone ends the stream', async () => {
  const { states } = await run([() => new Response('', { status: 404 })]);
  expect(states).toEqual(['connecting', 'ended']);
});

test('nothing is reported after a stop', async () => {
  const seen: string[] = [];
  let release = (_: Response) => {};
  const stop = follow(
    '/events',
    { onEvent: ({ data }) => seen.push(data), onLiveness: (state) => seen.push(state) },
    { fetch: () => new Promise((resolve) => (release = resolve)) },
  );
  stop();
  release(new Response('data: late\n\n'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(seen.filter((entry) => entry === 'late')).toEqual([]);
});

test('a stream begins after the given event, and one that falls silent is opened again', async () => {
  const asked: (string | null)[] = [];
  const hangs = (signal: AbortSignal) =>
    new Response(new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('id: 8\ndata: a\n\n'));
        signal.addEventListener('abort', () => controller.error(new Error('aborted')));
      },
    }));
  const news: number[] = [];
  await new Promise<void>((ended) => {
    follow(
      '/events',
      { onEvent: () => undefined, onNews: () => news.push(1), onLiveness: (state) => state === 'ended' && ended() },
      {
        lastId: '7',
        silence: 30,
        backoff: () => 0,
        fetch: async (_url, init) => {
          asked.push(new Headers(init?.headers).get('Last-Event-ID'));
          return asked.length === 1 ? hangs(init!.signal!) : new Response(END);
        },
      },
    );
  });
  expect(asked).toEqual(['7', '8']);
  expect(news.length).toBeGreaterThan(1);
});
