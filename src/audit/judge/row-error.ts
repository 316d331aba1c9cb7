/** Errors of what is written or read, told from those of the connection, the disk or the moment: trying the whole again fails again. */
export function isOfRows(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^(?!08|25|40|53|55|57P)[0-9A-Z]{5}$/.test(code);
}
