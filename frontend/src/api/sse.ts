/** One Server-Sent Event. Without an id of its own it has that of the event before. */
export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** Cut a stream of text chunks into events (HTML standard, section 9.2.6), however the chunks fall. */
export class EventParser {
  #buffer = '';
  #id = '';
  #event = '';
  #data: string[] = [];

  push(chunk: string): ServerEvent[] {
    // A lone CR at the end of a chunk may be half of a CRLF, so it waits for the next chunk.
    const lines = (this.#buffer + chunk).split(/\r\n|\n|\r(?!$)/);
    this.#buffer = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerEvent[] {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'id') this.#id = value;
    else if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    return [];
  }

  #dispatch(): ServerEvent[] {
    const event = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') };
    const complete = this.#data.length > 0;
    this.#event = '';
    this.#data = [];
    return complete ? [event] : [];
  }
}
