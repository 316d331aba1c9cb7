/**
 * Tells errors caused by data from errors of the connection, the disk or the moment: data fails again when the same
 * statement is tried again.
 */
export function isOfRows(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^(?!08|25|40|53|55|57P)[0-9A-Z]{5}$/.test(code);
}
