/** Replays recordings, a few at a time, and checks each. Reports; throws for nothing that one run does. */
import type { Stack } from '../stack/stack.js';
import { problemsOf } from './check-run.js';
import { startReplays, type GovernedReplays } from './governed-replays.js';
import type { PriceRows, Recording } from './recording.js';
import { replayOf, type Replay } from './replay.js';

export type Replayed = {
  readonly id: string;
  readonly modelCalls: number;
  readonly skillCalls: number;
  readonly malformed: number;
  readonly ms: number;
  /** None: the run is as it was recorded. */
  readonly problems: readonly string[];
};

/** @param tell hears of each run as it ends */
export async function replayAll(
  stack: Stack,
  recordings: readonly Recording[],
  rows: PriceRows,
  { inFlight, tell }: { readonly inFlight: number; readonly tell: (replayed: Replayed) => void },
): Promise<readonly Replayed[]> {
  const waiting = recordings.map((recording) => ({ recording, replay: replayOf(recording, rows) }));
  const governed = await startReplays(
    stack,
    waiting.map(({ replay }) => replay),
    rows,
  );
  const done: Replayed[] = [];
  const oneAfterTheOther = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const replayed = await replayOne(stack, governed, next.recording, next.replay);
      tell(replayed);
      done.push(replayed);
    }
  };
  try {
    await Promise.all(Array.from({ length: inFlight }, oneAfterTheOther));
  } finally {
    await governed.stop();
  }
  return done;
}

async function replayOne(
  stack: Stack,
  governed: GovernedReplays,
  recording: Recording,
  replay: Replay,
): Promise<Replayed> {
  const began = performance.now();
  const problems = await governed.run(replay).then(
    (result) => problemsOf(stack.admin, recording, replay, result, governed.receiptKeys),
    (error: unknown) => [error instanceof Error ? error.message : 'it was thrown something that is no error'],
  );
  return {
    id: recording.id,
    modelCalls: recording.steps.length,
    skillCalls: replay.observed.size,
    malformed: replay.malformed,
    ms: performance.now() - began,
    problems,
  };
}
