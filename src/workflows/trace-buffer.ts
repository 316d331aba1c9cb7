/** Events waiting to be appended, in order. Appending is idempotent by event id, so a batch may be sent again. */
import type { Digest, RunId } from '../domain/ids.js';
import type { JsonObject } from '../domain/json.js';
import type { FinalizeAnswer, LatchRequest } from '../domain/protocol/decide.js';
import type { Appended } from '../domain/protocol/observe.js';
import type { TraceEvent, TraceKind } from '../domain/trace-event.js';
import { controlWithin, observe, observeWithin } from './hands.js';

const ONCE_MS = 2_000;

export class TraceBuffer {
  #pending: readonly TraceEvent[] = [];
  #noted = 0;
  readonly #counts = new Map<TraceKind, number>();
  #head: { length: number; hash: Digest | null } = { length: 0, hash: null };

  constructor(private readonly run: RunId) {}

  /** Events noted so far, sent or not. */
  get noted(): number {
    return this.#noted;
  }
  /** Of those, how many of one kind. */
  notedOf(kind: TraceKind): number {
    return this.#counts.get(kind) ?? 0;
  }
  get head(): { readonly length: number; readonly hash: Digest | null } {
    return this.#head;
  }

  note(kind: TraceKind, id: string, body: JsonObject): void {
    this.#pending = [...this.#pending, { id, kind, body }];
    this.#noted += 1;
    this.#counts.set(kind, this.notedOf(kind) + 1);
  }

  /** What is not kept yet, oldest first. */
  get waiting(): readonly TraceEvent[] {
    return this.#pending;
  }

  /** The first `count` of what was waiting are kept. */
  kept(count: number, head: Appended): void {
    this.#pending = this.#pending.slice(count);
    this.#head = { length: head.length, hash: head.hash };
  }

  /** Retries without end: a step does not begin before its trace is kept. */
  flush(): Promise<void> {
    return this.#send((input) => observe['observe.append'](input));
  }

  /** One try that may fail: the run goes on without, and the gap is a finding. */
  async flushOnce(): Promise<void> {
    await this.flushWithin(ONCE_MS).catch(() => undefined);
  }

  async flushWithin(ms: number): Promise<void> {
    await this.#send((input) => observeWithin(ms)['observe.append'](input));
  }

  /** The last append and `decide.finalize` after it, within the trace's share of the close's budget. */
  async finish(ms: number, end: LatchRequest): Promise<FinalizeAnswer> {
    const batch = this.#pending;
    const { head, final } = await controlWithin(ms)['control.finish']({ trace: { run: this.run, events: batch }, end });
    this.kept(batch.length, head);
    return final;
  }

  async #send(append: (input: { run: RunId; events: readonly TraceEvent[] }) => Promise<Appended>): Promise<void> {
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.kept(batch.length, await append({ run: this.run, events: batch }));
  }
}
