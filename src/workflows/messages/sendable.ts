/**
 * Removes from a spec what cannot be sent on. JSON nested without limit parses well but overflows the stack of whoever
 * encodes it again, and a workflow that throws there fails its task for ever. The parser of the spec reports what was
 * removed as missing.
 */
const LEVELS = 100;

/** Total. The spec itself, unless a member of it is nested too deep: then without those. */
export function sendable(spec: unknown): unknown {
  if (!isNestedDeeper(spec, LEVELS)) return spec;
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return null;
  return Object.fromEntries(Object.entries(spec).filter(([, member]) => !isNestedDeeper(member, LEVELS - 1)));
}

function isNestedDeeper(value: unknown, levels: number): boolean {
  let level: readonly object[] = isNesting(value) ? [value] : [];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= levels) return true;
    level = level.flatMap((one) => Object.values(one).filter(isNesting));
  }
  return false;
}

const isNesting = (value: unknown): value is object => typeof value === 'object' && value !== null;
