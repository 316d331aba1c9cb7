/**
 * Text that every store accepts: canonical JSON refuses half of a surrogate pair, PostgreSQL refuses NUL. Other text is
 * left unchanged.
 */
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;
const LONE_SURROGATES = new RegExp(LONE_SURROGATE.source, 'g');

export const hasLoneSurrogate = (text: string): boolean => LONE_SURROGATE.test(text);
export const isStorable = (text: string): boolean => !text.includes('\0') && !hasLoneSurrogate(text);

/** `text` cut to `maxChars`; what no store takes shows as U+FFFD. For reasons and details, never for evidence that is hashed. */
export const storable = (text: string, maxChars: number): string =>
  text.slice(0, maxChars).replaceAll('\0', '\uFFFD').replace(LONE_SURROGATES, '\uFFFD');
