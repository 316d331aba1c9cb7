/**
 * Ends a run that cannot end itself, because its verdict is STALE or its workflow is closed. `decide.repair` makes this
 * execution the run's history and latches `forced`; the close is the same as any other. The verdict stays: a late
 * `finalize_run` forgives nothing.
 */
import type { RunId } from '../domain/ids.js';
import type { RepairRequest } from '../domain/protocol/decide.js';
import { close, type Closed } from './run/close-run.js';
import { decideWithin } from './activity-proxies.js';
import { TraceBuffer } from './run/trace-buffer.js';

/** Workflow type `repair`; null when there was nothing to repair. */
export async function repair(input: {
  readonly run: RunId;
  readonly reason: RepairRequest['reason'];
}): Promise<Closed | null> {
  const adopted = await decideWithin(60_000)['decide.repair'](input);
  if (!adopted.adopted) return null;
  const trace = new TraceBuffer(input.run);
  trace.note('phase.changed', 'repair', { phase: 'FINALIZING', reason: input.reason });
  return close(
    {
      run: input.run,
      trace,
      moved: () => undefined,
      // What the run itself noted is appended again, which is no event.
      noteEnded: (ended) => {
        for (const { hold, resolution } of ended) trace.note('hold.resolved', `hold.${hold}.resolved`, { resolution });
      },
      tenant: adopted.tenant,
      agent: adopted.agent,
      graceMs: adopted.graceMs,
      lastStep: adopted.lastStep,
      countsEvents: false,
    },
    { outcome: adopted.outcome, detail: `repaired: ${input.reason}`, answer: null },
  );
}
