/**
 * Stored bytes as text, for those who carry or check them. What is no UTF-8 becomes replacement characters: it then hashes
 * to something else and is named, where an error would stop everything that comes after it.
 */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export const textOfHex = (hex: string): string => utf8.decode(Buffer.from(hex, 'hex'));
