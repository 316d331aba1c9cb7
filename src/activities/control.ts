/**
 * Local activities that decide and append to the trace at the same time, each with its own database login. Both parts
 * are idempotent, so Temporal may run one again.
 */
import type { DecideActivities } from '../domain/protocol/decide.js';
import type { ObserveActivities } from '../domain/protocol/observe.js';
import type { ControlActivities } from '../domain/protocol/control.js';

export function createControlActivities(
  decide: Pick<DecideActivities, 'decide.step' | 'decide.finalize'>,
  observe: Pick<ObserveActivities, 'observe.append'>,
): ControlActivities {
  return {
    'control.decideAndAppend': async ({ step, trace, traceFirst }) => {
      const appending = observe['observe.append'](trace);
      const kept = traceFirst ? appending : appending.catch(() => null);
      const [answer, head] = await Promise.all([decide['decide.step'](step), kept]);
      return { answer, head };
    },
    'control.finish': async ({ trace, end }) => {
      const head = await observe['observe.append'](trace);
      return { head, final: await decide['decide.finalize'](end) };
    },
  };
}
