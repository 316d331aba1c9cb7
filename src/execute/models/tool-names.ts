/**
 * Maps skill names to what the OpenAI protocol accepts: letters, digits, `_` and `-`, at most 64. Reversible over the
 * tools of one request; a name that the model made up comes back unchanged and matches no skill.
 */
import { RokError } from '../../domain/errors.js';

const WIRE_CHARS = 64;

export type ToolNames = { readonly toWire: (name: string) => string; readonly fromWire: (name: string) => string };

export const wireName = (name: string): string => name.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, WIRE_CHARS);

/** @throws RokError config_invalid when two names would be the same on the wire */
export function toolNames(names: readonly string[]): ToolNames {
  const back = new Map<string, string>();
  for (const name of names) {
    const other = back.get(wireName(name));
    if (other !== undefined && other !== name)
      throw new RokError('config_invalid', `the skills \`${other}\` and \`${name}\` have the same name for a provider`);
    back.set(wireName(name), name);
  }
  return { toWire: wireName, fromWire: (name) => back.get(name) ?? name };
}
