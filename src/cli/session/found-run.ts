/** Finds a run by its name, or fails with an error that says what to do. */
import { RokError } from '../../domain/errors.js';
import type { Reader, RunView } from '../../reader/read.js';

export async function foundRun(reader: Reader, name: string): Promise<RunView> {
  const view = await reader.run(name);
  if (view === null)
    throw new RokError('run_unknown', `no run \`${name.slice(0, 200)}\``, 'list them with `rok run list`');
  return view;
}
