/**
 * Stored bytes as text. Bytes that are not UTF-8 become replacement characters: the text then has another digest and
 * the verifier reports it, where an exception would stop everything after it.
 */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export const textOfHex = (hex: string): string => utf8.decode(Buffer.from(hex, 'hex'));
