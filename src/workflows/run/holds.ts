/**
 * The holds of one run: independent of the phase, several at once, each opened, warned of, answered and timed out by
 * itself. A held step waits for an authorized actor or for the hold's deadline; the timer only prompts a check,
 * database time decides whether the deadline has passed. A pause by hand is a hold of the whole run: while it is
 * requested or open, no step is asked for.
 */
import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import type { HoldReason, HoldTerms } from '../../domain/decision.js';
import type { Digest, RunId } from '../../domain/ids.js';
import type { HoldRequest, HoldResolution } from '../../domain/protocol/decide.js';
import { RunEnded } from './ending.js';
import { decide } from '../activity-proxies.js';
import { untilWarning } from './hold-warning.js';
import type { HoldStatus } from '../messages/messages.js';
import { showHolds } from './temporal-display.js';
import type { TraceBuffer } from './trace-buffer.js';
import type { ActivityMutex } from '../activity-mutex.js';

export type Held = {
  readonly hold: number;
  readonly step: number;
  readonly attempt: number;
  readonly terms: HoldTerms;
  readonly remainingMs: number;
  readonly digest: Digest | null;
  readonly what: string;
};

/** What waiting needs of the run. */
export type Waiting = {
  readonly run: RunId;
  readonly mutex: ActivityMutex;
  readonly trace: TraceBuffer;
  keepTrace(): Promise<void>;
  refresh(): void;
  deadlineIs(inMs: number): void;
};

type Ended = { readonly resolution: HoldResolution; readonly onTimeout: HoldTerms['onTimeout'] };

export class Holding {
  #open: ReadonlyMap<number, HoldStatus> = new Map();
  /** Told by an update's handler; also before the waiting began. */
  readonly #answers = new Map<number, HoldResolution>();
  /** Opened in the trace, and not yet resolved there. */
  readonly #noted = new Set<number>();
  #shown = '';
  #pauseAsked: string | null = null;
  #pauses = 0;
  #pause: Promise<void> | null = null;

  constructor(private readonly run: Waiting) {}

  /** By number: the order in which they were opened. */
  get open(): readonly HoldStatus[] {
    return [...this.#open.values()].sort((one, other) => one.hold - other.hold);
  }
  /** Whether no step may be asked for. */
  get paused(): boolean {
    return this.#pauseAsked !== null || this.#pause !== null;
  }
  find(hold: number): HoldStatus | undefined {
    return this.#open.get(hold);
  }

  /** Told by an update's handler. */
  answered(hold: number, given: number | undefined, resolution: HoldResolution | undefined): void {
    const status = this.#open.get(hold);
    if (status !== undefined && given !== undefined) this.#set({ ...status, given });
    if (resolution !== undefined) this.#answers.set(hold, resolution);
  }

  /** The next step waits in a hold of its own. */
  pauseBy(actor: string): void {
    this.#pauseAsked = actor;
  }

  /** However many steps wait, a pause is one hold. */
  async untilGoingOn(step: number): Promise<void> {
    while (this.paused) {
      this.#pause ??= this.#paused(step).finally(() => {
        this.#pause = null;
      });
      await this.#pause;
    }
  }

  async #paused(step: number): Promise<void> {
    const by = this.#pauseAsked ?? '';
    this.#pauseAsked = null;
    this.#pauses += 1;
    await this.holdFor({ step, attempt: this.#pauses, reason: 'MANUAL', by }, `paused by ${by}`);
  }

  /** A hold that no decision asked for. @returns its number, when it has ended */
  async holdFor(asked: Omit<HoldRequest, 'run'>, what: string): Promise<number> {
    const { run } = this.run;
    const opened = await this.run.mutex.runExclusive(() => decide['decide.hold']({ run, ...asked }));
    if (opened.resolution !== null) this.#answers.set(opened.hold, opened.resolution);
    const { step, attempt } = asked;
    await this.held({ ...opened, step, attempt, digest: null, what });
    return opened.hold;
  }

  /** @throws RunEnded where nobody answered in time and that ends the run; else what was held is to be decided again */
  async held(held: Held): Promise<void> {
    const { hold, step, attempt, terms } = held;
    const { reason, authority, until } = terms;
    this.#note(hold, 'opened', { step, attempt, reason, authority, until, action: held.digest ?? '' });
    await this.run.keepTrace();
    const { resolution, onTimeout } = await this.#wait(held);
    this.#note(hold, 'resolved', { resolution });
    if (resolution === 'ended' || (resolution === 'timed_out' && onTimeout === 'terminate'))
      throw new RunEnded({
        outcome: reason === 'BUDGET' ? 'budget_stopped' : 'policy_stopped',
        detail: `the hold for ${reason} was not answered in time`,
      });
  }

  /** The run has ended: what was still waited for. */
  noteEnded(ended: readonly { readonly hold: number; readonly resolution: HoldResolution }[]): void {
    for (const { hold, resolution } of ended) if (this.#noted.has(hold)) this.#note(hold, 'resolved', { resolution });
  }

  #note(hold: number, what: 'opened' | 'warned' | 'resolved', body: Readonly<Record<string, string | number>>): void {
    if (what === 'opened') this.#noted.add(hold);
    if (what === 'resolved') this.#noted.delete(hold);
    this.run.trace.note(`hold.${what}`, `hold.${hold}.${what}`, body);
  }

  async #wait(held: Held): Promise<Ended> {
    const { hold, step, attempt, terms, digest, what } = held;
    const { reason, authority, quorum, until, onTimeout } = terms;
    this.#set({ hold, step, attempt, reason, authority, quorum, given: 0, until, digest, what, warned: false });
    try {
      const early = await this.#warn(held);
      if (early !== null) return { resolution: early, onTimeout };
      let waitMs = Math.max(held.remainingMs - untilWarning(held.remainingMs), 0);
      for (;;) {
        const resolution = await this.#answerWithin(hold, waitMs, terms);
        if (resolution !== null) return { resolution, onTimeout };
        const asked = await this.run.mutex.runExclusive(() =>
          decide['decide.resolve']({ run: this.run.run, hold, resolution: 'timed_out' }),
        );
        if (asked.resolved) {
          this.run.deadlineIs(asked.runDeadlineInMs);
          return { resolution: asked.resolution, onTimeout: asked.onTimeout };
        }
        waitMs = asked.remainingMs;
      }
    } finally {
      this.#open = new Map([...this.#open].filter(([number]) => number !== hold));
      this.#show();
    }
  }

  /** @returns how the hold was answered where that came first */
  async #warn({ hold, terms, remainingMs }: Held): Promise<HoldResolution | null> {
    const waitMs = untilWarning(remainingMs);
    const answer = waitMs > 0 ? await this.#answerWithin(hold, waitMs, terms) : (this.#answers.get(hold) ?? null);
    const status = this.#open.get(hold);
    if (answer !== null || status === undefined) return answer;
    this.#set({ ...status, warned: true });
    this.#note(hold, 'warned', { authority: terms.authority, until: terms.until });
    await this.run.keepTrace();
    return null;
  }

  async #answerWithin(hold: number, ms: number, terms: HoldTerms): Promise<HoldResolution | null> {
    let fired = false;
    const timer = new CancellationScope();
    const waiting = timer.run(async () => {
      await sleep(Math.max(ms, 1), {
        summary: `awaiting ${terms.reason === 'APPROVAL_REQUIRED' ? 'approval' : 'an answer'} by ${terms.authority}`,
      });
      fired = true;
    });
    waiting.catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
    try {
      await condition(() => fired || this.#answers.has(hold));
    } finally {
      timer.cancel();
    }
    return this.#answers.get(hold) ?? null;
  }

  #set(status: HoldStatus): void {
    this.#open = new Map([...this.#open, [status.hold, status]]);
    this.#show();
  }

  /** An upsert of search attributes is an event of history: only when the reasons change. */
  #show(): void {
    const reasons = [...new Set<HoldReason>(this.open.map(({ reason }) => reason))].sort();
    if (reasons.join() !== this.#shown) showHolds(reasons);
    this.#shown = reasons.join();
    this.run.refresh();
  }
}
