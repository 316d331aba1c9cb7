/**
 * The hold: orthogonal to the phase, one at a time. Waits for an authorised actor or the deadline, and says so when the
 * deadline is near; only database time says that it passed.
 */
import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import type { HoldTerms } from '../domain/decision.js';
import type { Digest, RunId } from '../domain/ids.js';
import type { HoldResolution } from '../domain/protocol/decide.js';
import { decide } from './hands.js';
import { untilWarning } from './hold-warning.js';
import type { HoldStatus } from './messages.js';
import type { TraceBuffer } from './trace-buffer.js';
import type { Turn } from './turn.js';

export type Held = {
  readonly hold: number;
  readonly terms: HoldTerms;
  readonly remainingMs: number;
  readonly digest: Digest | null;
  readonly what: string;
};

/** What waiting needs of the run. */
export type Waiting = {
  readonly run: RunId;
  readonly turn: Turn;
  readonly trace: TraceBuffer;
  keepTrace(): Promise<void>;
  refresh(): void;
  deadlineIs(inMs: number): void;
};

export class Holding {
  #current: (HoldStatus & { resolution: HoldResolution | null }) | null = null;
  /** What a raise resolved between the decision that opened it and the waiting. */
  readonly #early = new Map<number, HoldResolution>();
  /** Number of the last hold seen. */
  last = 0;

  get current(): HoldStatus | null {
    return this.#current;
  }

  /** Told by an update's handler. */
  answered(hold: number, given: number | undefined, resolution: HoldResolution | undefined): void {
    if (this.#current?.hold !== hold) {
      if (resolution !== undefined) this.#early.set(hold, resolution);
      return;
    }
    this.#current = {
      ...this.#current,
      given: given ?? this.#current.given,
      resolution: resolution ?? this.#current.resolution,
    };
  }

  /** @returns how the hold ended; `onTimeout` tells what a timeout means */
  async wait(
    run: Waiting,
    held: Held,
  ): Promise<{ readonly resolution: HoldResolution; readonly onTimeout: HoldTerms['onTimeout'] }> {
    const { terms } = held;
    this.last = Math.max(this.last, held.hold);
    this.#current = {
      hold: held.hold,
      reason: terms.reason,
      authority: terms.authority,
      quorum: terms.quorum,
      given: 0,
      until: terms.until,
      digest: held.digest,
      what: held.what,
      warned: false,
      resolution: this.#early.get(held.hold) ?? null,
    };
    run.refresh();
    try {
      const early = await this.#warn(run, held);
      if (early !== null) return { resolution: early, onTimeout: terms.onTimeout };
      let waitMs = Math.max(held.remainingMs - untilWarning(held.remainingMs), 0);
      for (;;) {
        const resolution = await this.#answerWithin(waitMs, terms);
        if (resolution !== null) return { resolution, onTimeout: terms.onTimeout };
        const asked = await run.turn.take(() =>
          decide['decide.resolve']({ run: run.run, hold: held.hold, resolution: 'timed_out' }),
        );
        if (asked.resolved) {
          run.deadlineIs(asked.runDeadlineInMs);
          return { resolution: asked.resolution, onTimeout: asked.onTimeout };
        }
        waitMs = asked.remainingMs;
      }
    } finally {
      this.#current = null;
      run.refresh();
    }
  }

  /** @returns how the hold was answered where that came first */
  async #warn(run: Waiting, { hold, terms, remainingMs }: Held): Promise<HoldResolution | null> {
    const waitMs = untilWarning(remainingMs);
    const answer = waitMs > 0 ? await this.#answerWithin(waitMs, terms) : null;
    if (answer !== null || this.#current === null) return answer;
    this.#current = { ...this.#current, warned: true };
    run.refresh();
    run.trace.note('hold.warned', `hold.${hold}.warned`, { authority: terms.authority, until: terms.until });
    await run.keepTrace();
    return null;
  }

  async #answerWithin(ms: number, terms: HoldTerms): Promise<HoldResolution | null> {
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
      await condition(() => fired || (this.#current?.resolution ?? null) !== null);
    } finally {
      timer.cancel();
    }
    return this.#current?.resolution ?? null;
  }
}
