/**
 * Finds acts that were sent beside the run (workflow `administer`) and recorded there. It looks when the carrier
 * signals, and every ten seconds while the run is held, since the run may have used up the messages that Temporal
 * accepts. A hold may last for days, so the pauses grow, to at most a sixtieth of the hold's age: the history stays
 * small.
 */
import { condition, isCancellation } from '@temporalio/workflow';
import { takeEffect } from './act.js';
import type { GovernedRun } from '../run/governed-state.js';
import { decideWithin } from '../activity-proxies.js';
import { isRefusedHistory } from '../run/refused-history.js';

const EVERY_MS = 10_000;
const ANSWERED_MS = 5_000;
const SHARE_OF_HOLD = 1 / 60;

export type Looking = {
  /** Handler of the signal that says so; however many come, one look answers them. */
  readonly ask: () => void;
  /** Looks until it is cancelled. */
  readonly look: (run: GovernedRun) => Promise<void>;
};

export function lookBeside(): Looking {
  let asked = false;
  return {
    ask: () => {
      asked = true;
    },
    async look(run) {
      let seen = 0;
      for (;;) {
        await condition(() => asked || isHeld(run));
        const heldSince = Date.now();
        while (asked || isHeld(run)) {
          const waitMs = Math.max(EVERY_MS, Math.ceil((Date.now() - heldSince) * SHARE_OF_HOLD));
          const woken = asked || (await condition(() => asked || !isHeld(run), waitMs));
          if (woken && !asked) break;
          asked = false;
          seen = await run.mutex.runExclusiveForMessage(() => takeActs(run, seen));
        }
      }
    },
  };
}

const isHeld = (run: GovernedRun): boolean => run.holding.open.length > 0;

/** Within a time, since a step may wait for its turn: what was not seen is seen the next time. @returns how many were by now */
async function takeActs(run: GovernedRun, seen: number): Promise<number> {
  if (run.closing) return seen;
  const deciders = decideWithin(ANSWERED_MS);
  const looked = await deciders['decide.look']({ run: run.run, seen }).catch((error: unknown) => {
    if (isRefusedHistory(error) || isCancellation(error)) throw error;
    return null;
  });
  if (looked === null) return seen;
  const { acts, more, runDeadlineInMs } = looked;
  for (const act of acts) takeEffect(run, act, runDeadlineInMs);
  const now = seen + acts.length;
  return more ? takeActs(run, now) : now;
}
