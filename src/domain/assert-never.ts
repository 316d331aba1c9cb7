/** Marks a place that the types say cannot be reached; reaching it is a bug, never a decision. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
