/** Marks a place that the types make unreachable; reaching it is a bug, never a decision. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
