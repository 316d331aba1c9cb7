/**
 * Buffers events to append, in order. Appending is idempotent by event id, so a portion may be sent again. An event
 * with an id that was noted before is ignored, so that the length is known.
 */
import type { Digest, RunId } from '../../domain/ids.js';
import type { JsonObject } from '../../domain/json.js';
import type { FinalizeAnswer, LatchRequest } from '../../domain/protocol/decide.js';
import type { AppendInput, Appended } from '../../domain/protocol/observe.js';
import type { TraceEvent, TraceKind } from '../../domain/trace-event.js';
import { controlWithin, observe, observeWithin } from '../activity-proxies.js';

const ONCE_MS = 2_000;
/** What one append takes, and what travels well at once. Many events may wait: each message can leave one. */
const PORTION = { events: 256, chars: 256_000 } as const;

export class TraceBuffer {
  #pending: readonly TraceEvent[] = [];
  readonly #ids = new Set<string>();
  readonly #counts = new Map<TraceKind, number>();
  #head: { length: number; hash: Digest | null } = { length: 0, hash: null };

  constructor(private readonly run: RunId) {}

  /** Events noted so far, sent or not. */
  get noted(): number {
    return this.#ids.size;
  }
  /** Of those, how many of one kind. */
  notedOf(kind: TraceKind): number {
    return this.#counts.get(kind) ?? 0;
  }
  get head(): { readonly length: number; readonly hash: Digest | null } {
    return this.#head;
  }

  note(kind: TraceKind, id: string, body: JsonObject): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#pending = [...this.#pending, { id, kind, body }];
    this.#counts.set(kind, this.notedOf(kind) + 1);
  }

  /** The oldest of what is not kept yet, at most a portion. */
  get waiting(): readonly TraceEvent[] {
    let chars = 0;
    const end = this.#pending.findIndex(({ body }, at) => {
      chars += JSON.stringify(body).length;
      return at > 0 && (at >= PORTION.events || chars > PORTION.chars);
    });
    return end === -1 ? this.#pending : this.#pending.slice(0, end);
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

  /** Sends all but the last portion, which goes with a decision; by one try that may fail, unless the trace comes first. */
  async leaveOnePortion(traceFirst: boolean): Promise<void> {
    if (traceFirst) await this.#sendToLast((input) => observe['observe.append'](input));
    else await this.#sendToLast((input) => observeWithin(ONCE_MS)['observe.append'](input)).catch(() => undefined);
  }

  /** The last append and `decide.finalize` after it, within the trace's share of the close's budget. */
  async finish(ms: number, end: LatchRequest): Promise<FinalizeAnswer> {
    await this.#sendToLast((input) => observeWithin(ms)['observe.append'](input));
    const batch = this.waiting;
    const { head, final } = await controlWithin(ms)['control.finish']({ trace: { run: this.run, events: batch }, end });
    this.kept(batch.length, head);
    return final;
  }

  async #send(append: (input: AppendInput) => Promise<Appended>): Promise<void> {
    while (this.#pending.length > 0) await this.#sendOne(append);
  }

  async #sendToLast(append: (input: AppendInput) => Promise<Appended>): Promise<void> {
    while (this.waiting.length < this.#pending.length) await this.#sendOne(append);
  }

  async #sendOne(append: (input: AppendInput) => Promise<Appended>): Promise<void> {
    const portion = this.waiting;
    this.kept(portion.length, await append({ run: this.run, events: portion }));
  }
}
