/**
 * Reads what Temporal delivers, and never throws: a signal, an update or a spec whose bytes are no JSON, or of another
 * encoding, would else fail its workflow task again and again. What cannot be read is handed on as such, and refused where
 * messages and specs are parsed.
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
