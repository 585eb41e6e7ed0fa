/**
 * Whether the server answers. One notice on the page says so, instead of one in every card.
 * Pages whose calls went unanswered load again when `returns` goes up.
 */
class Connection {
  /** A call got no answer, and none has since. */
  lost = $state(false);
  /** How often the server has answered again. */
  returns = $state(0);
  /** When something arrived from the server, in milliseconds; what is on the page is not older. */
  #lastNews = Date.now();
  #waiting = new Map<symbol, number>();

  news = (): void => {
    this.#lastNews = Date.now();
    if (!this.lost) return;
    this.lost = false;
    this.returns += 1;
  };

  /** Note that a call is under way. Returns what to call once it has its answer, and when there is none. */
  ask(): { answered: () => void; unanswered: () => void } {
    const call = Symbol();
    this.#waiting.set(call, Date.now());
    const over = () => this.#waiting.delete(call);
    return { answered: () => (over(), this.news()), unanswered: () => (over(), void (this.lost = true)) };
  }

  /** Whether a call has no answer yet. */
  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  /** Seconds since the last sign of the server, where a call has waited longer than `patience` seconds for it. */
  silence(patience: number, now = Date.now()): number | null {
    const oldest = Math.min(...this.#waiting.values());
    const since = (now - this.#lastNews) / 1000;
    return this.lost || (now - oldest > patience * 1000 && since > patience) ? since : null;
  }
}

export const connection = new Connection();
