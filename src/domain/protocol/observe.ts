/** The protocol of the observing power: what workflows ask of it. */
import type { Digest, RunId } from '../ids.js';
import type { TraceEvent } from '../trace-event.js';

export type AppendInput = { readonly run: RunId; readonly events: readonly TraceEvent[] };
export type Appended = { readonly length: number; readonly hash: Digest };

export interface ObserveActivities {
  'observe.append'(input: AppendInput): Promise<Appended>;
}
