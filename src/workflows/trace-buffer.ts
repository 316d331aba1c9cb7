/** Events waiting to be appended, in order. Appending is idempotent by event id, so a batch may be sent again. */
import type { Digest, RunId } from '../domain/ids.js';
import type { JsonObject } from '../domain/json.js';
import type { Appended } from '../domain/protocol/observe.js';
import type { TraceEvent, TraceKind } from '../domain/trace-event.js';
import { observe, observeWithin } from './hands.js';

export class TraceBuffer {
  #pending: readonly TraceEvent[] = [];
  #flushing: Promise<void> = Promise.resolve();
  #noted = 0;
  #head: { length: number; hash: Digest | null } = { length: 0, hash: null };

  constructor(private readonly run: RunId) {}

  /** Events noted so far, sent or not. */
  get noted(): number {
    return this.#noted;
  }
  get head(): { readonly length: number; readonly hash: Digest | null } {
    return this.#head;
  }

  note(kind: TraceKind, id: string, body: JsonObject): void {
    this.#pending = [...this.#pending, { id, kind, body }];
    this.#noted += 1;
  }

  /** One append at a time, in order. Retries without end: whoever must not wait for it does not await it. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing
      .catch(() => undefined)
      .then(() => this.#send((input) => observe['observe.append'](input)));
    // Nobody may be waiting for it; the close sends what is left once more.
    this.#flushing.catch(() => undefined);
    return this.#flushing;
  }

  /** The last append, within its share of the close's budget. */
  async flushWithin(ms: number): Promise<void> {
    await this.#send((input) => observeWithin(ms)['observe.append'](input));
  }

  async #send(append: (input: { run: RunId; events: readonly TraceEvent[] }) => Promise<Appended>): Promise<void> {
    const batch = this.#pending;
    if (batch.length === 0) return;
    const head = await append({ run: this.run, events: batch });
    this.#pending = this.#pending.slice(batch.length);
    this.#head = { length: head.length, hash: head.hash };
  }
}
