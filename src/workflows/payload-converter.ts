/**
 * Decodes Temporal's payloads and never throws: a signal, an update or a spec with bytes that are not JSON, or in
 * another encoding, would otherwise fail its workflow task again and again. An undecodable payload is passed on as such
 * and refused where messages and specs are parsed.
 */
import { DefaultPayloadConverter, type PayloadConverter } from '@temporalio/common';

/** Neither text, nor an object, nor anything else that a message may be. */
const UNREADABLE = null;

const converter = new DefaultPayloadConverter();

/** The name under which the SDK looks for it. */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, ...context) => converter.toPayload(value, ...context),
  fromPayload(payload, ...context) {
    try {
      return converter.fromPayload(payload, ...context);
    } catch {
      return UNREADABLE as never;
    }
  },
};
