import { expect, test } from 'vitest';
import { EventParser, type ServerEvent } from './sse';

const STREAM = 'id: 7\nevent: progress\ndata: {"epoch": 2}\n\n: keep-alive\n\nid: 8\nevent: log\ndata: one\ndata: two\n\n';
const EVENTS: ServerEvent[] = [
  { id: '7', event: 'progress', data: '{"epoch": 2}' },
  { id: '8', event: 'log', data: 'one\ntwo' },
];

function parse(chunks: string[]): ServerEvent[] {
  const parser = new EventParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

test('a whole stream in one chunk', () => expect(parse([STREAM])).toEqual(EVENTS));

test('the same stream in single characters', () => expect(parse([...STREAM])).toEqual(EVENTS));

test('CRLF, even cut between CR and LF', () => {
  const crlf = STREAM.replaceAll('\n', '\r\n');
  expect(parse([crlf])).toEqual(EVENTS);
  expect(parse([...crlf])).toEqual(EVENTS);
});

test('an event without a name is a message, and keeps the last id', () => {
  expect(parse([`${STREAM}data: x\n\n`]).at(-1)).toEqual({ id: '8', event: 'message', data: 'x' });
});

test('an incomplete event is not reported', () => expect(parse(['id: 1\ndata: half'])).toEqual([]));
