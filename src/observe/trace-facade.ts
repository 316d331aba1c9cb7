/**
 * Encodes a trace event, once, as the bytes that are hashed: canonical JSON of {body, id, kind}. Pure: it checks and
 * encodes. It neither numbers nor stores events: trace-store.ts and PostgreSQL do.
 */
import { canonicalJson, CanonicalJsonError } from '../domain/canonical-json.js';
import { TRACE_KINDS, type TraceEvent } from '../domain/trace-event.js';

/** PostgreSQL refuses the same again. */
const TRACE_BOUNDS = { idChars: 128, eventBytes: 65_536, eventsPerAppend: 256 } as const;

export type EncodedEvent = { readonly id: string; readonly kind: string; readonly bytes: string };
export type EncodedEvents =
  { readonly ok: true; readonly events: readonly EncodedEvent[] } | { readonly ok: false; readonly problem: string };

const ID = /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/;
const utf8 = new TextEncoder();

/** All of them or none: a gap in the trace would look like a lost event. */
export function encodeEvents(events: readonly TraceEvent[]): EncodedEvents {
  if (events.length === 0 || events.length > TRACE_BOUNDS.eventsPerAppend)
    return refuse(`an append takes 1 to ${TRACE_BOUNDS.eventsPerAppend} events, not ${events.length}`);
  const encoded: EncodedEvent[] = [];
  for (const { id, kind, body } of events) {
    if (!ID.test(id) || id.length > TRACE_BOUNDS.idChars)
      return refuse(`\`${id.slice(0, 64)}\` is not the id of an event`);
    if (!Object.hasOwn(TRACE_KINDS, kind)) return refuse(`\`${kind.slice(0, 64)}\` is not a kind of event`);
    try {
      const bytes = canonicalJson({ id, kind, body });
      if (utf8.encode(bytes).length > TRACE_BOUNDS.eventBytes)
        return refuse(`event \`${id}\` is larger than ${TRACE_BOUNDS.eventBytes} bytes`);
      encoded.push({ id, kind, bytes });
    } catch (error) {
      if (!(error instanceof CanonicalJsonError)) throw error;
      return refuse(`event \`${id}\`: ${error.message}`);
    }
  }
  return { ok: true, events: encoded };
}

const refuse = (problem: string): EncodedEvents => ({ ok: false, problem });
