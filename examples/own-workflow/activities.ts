/** The work itself, as anybody would write it: an invoice goes into the outbox folder. Sending it twice is sending it once. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Invoice = { readonly number: string; readonly customer: string; readonly cents: number };

export async function sendInvoice({ number, customer, cents }: Invoice): Promise<string> {
  const outbox = process.env['OUTBOX'] ?? 'outbox';
  await mkdir(outbox, { recursive: true });
  await writeFile(join(outbox, `${number}.txt`), `To ${customer}: invoice ${number}, ${(cents / 100).toFixed(2)}\n`);
  return number;
}
