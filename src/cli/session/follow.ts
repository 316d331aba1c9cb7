/**
 * Follows a run: phases, holds and verdict from its row, everything else from its trace. A caller that knows the number
 * of the last event can go on after it. Reads only.
 */
import type { OpenHold, Reader, RunView, ShownText, TraceLine } from '../../reader/read.js';
import { isSettled } from '../../reader/read.js';
import { isTerminal } from '../../domain/phases.js';

export type Happening =
  | { readonly type: 'phase'; readonly view: RunView }
  | { readonly type: 'trace'; readonly line: TraceLine }
  | { readonly type: 'hold'; readonly view: RunView; readonly hold: OpenHold }
  | { readonly type: 'end'; readonly view: RunView; readonly answer: ShownText | null };

export type FollowOptions = {
  /** Trace events up to this number are known. */
  readonly after?: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
};

/** How long after its end a run's verdict is waited for: the audit worker may be away, and the run is then judged later. */
const VERDICT_MS = 10_000;

/** @param name run id or workflow id; waits until the run is opened. Ends with `end`, or without when `signal` aborts. */
export async function* follow(reader: Reader, name: string, options: FollowOptions = {}): AsyncGenerator<Happening> {
  const { everyMs = 200, signal } = options;
  let after = options.after ?? 0;
  let phase = '';
  let hold = 0;
  let endedAt: number | undefined;
  while (signal?.aborted !== true) {
    const view = await reader.run(name);
    if (view !== null) {
      const lines = await reader.trace(view.run, after);
      for (const line of lines) {
        yield { type: 'trace', line };
        after = line.seq;
      }
      if (view.phase !== phase) yield { type: 'phase', view };
      for (const open of view.holds) if (open.hold > hold) yield { type: 'hold', view, hold: open };
      phase = view.phase;
      hold = view.holds.at(-1)?.hold ?? hold;
      if (isTerminal(view.phase)) endedAt ??= Date.now();
      if (endedAt !== undefined && lines.length === 0 && (isSettled(view) || Date.now() - endedAt > VERDICT_MS)) {
        yield { type: 'end', view, answer: await reader.answer(view.run) };
        return;
      }
      if (lines.length > 0) continue;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
