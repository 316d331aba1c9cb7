/** Appends to a file so that it is there after a crash too. Deliberately never truncates and never reads. */
import { open } from 'node:fs/promises';

export async function appendDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'a', 0o644);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
