/**
 * Histories of real runs, kept as protobuf so that today's workflow code is held against yesterday's runs.
 * `RECORD_HISTORIES=1 npm test -- test/workflows` writes them anew; that is only right when no run of the old code lives.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;
type Recorded = ReturnType<typeof History.decode>;
const FOLDER = new URL('./recorded/', import.meta.url);

export async function recordIfAsked(name: string, handle: WorkflowHandle): Promise<void> {
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  const history = await handle.fetchHistory();
  withoutMachine(history);
  await writeFile(new URL(`${name}.bin`, FOLDER), History.encode(history).finish());
}

/** Which machine and process did it, and where its files are, does not belong into the repository. */
function withoutMachine(value: unknown): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if ('identity' in value) value.identity = '';
  if ('stackTrace' in value) value.stackTrace = '';
  for (const [name, part] of Object.entries(value)) {
    // A worker's sticky queue is named by its process and its machine too.
    if (typeof part === 'string' && /^\d+@/.test(part)) (value as Record<string, unknown>)[name] = 'worker@machine';
    else withoutMachine(part);
  }
}

export async function recordedHistories(): Promise<readonly { readonly name: string; readonly history: Recorded }[]> {
  const names = (await readdir(fileURLToPath(FOLDER))).filter((name) => name.endsWith('.bin')).sort();
  return Promise.all(
    names.map(async (name) => ({ name, history: History.decode(await readFile(new URL(name, FOLDER))) })),
  );
}
