/**
 * What of a spec can be sent on. JSON that is nested without end is read without trouble but overflows the stack of whoever
 * writes it again, and a workflow that throws that fails its task for ever. What is left out is missed where the spec is parsed.
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
