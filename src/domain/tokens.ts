/**
 * Upper bounds on the tokens of a prompt without the model's tokenizer and template. No tokenizer makes more tokens
 * than there are bytes; an allowance is added for what a template puts around each message and before all of them, so
 * that a prompt of two bytes is bounded too.
 */

/** Role, separators and ends of one message, of every template that was looked at (3 to 8), with room. */
const MESSAGE_TOKENS = 16;
/** What a template writes by itself: a default system prompt, dates, channels (up to about 80), with room. */
const TEMPLATE_TOKENS = 128;

/** Of one content: a message, or the list of tools. */
export const tokenUpperBound = (byteCount: number): number => byteCount + MESSAGE_TOKENS;

/** Of what the provider of `model` adds once to each prompt. A recorded transcript adds nothing. */
export const templateTokens = (model: string): number => (model.startsWith('scripted/') ? 0 : TEMPLATE_TOKENS);
