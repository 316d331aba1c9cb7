/**
 * As whom PostgreSQL runs: it refuses root, so root hands it to the system's `postgres` user, who must be able to enter
 * every folder above its data and its program. Deliberately changes no folder's mode: it says which one is closed.
 */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname, parse } from 'node:path';
import { promisify } from 'node:util';
import { StartError } from '../start-error.js';

const run = promisify(execFile);

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** Nothing when this process is not root: then PostgreSQL runs as whoever runs this. */
export async function postgresUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: '-u' | '-g'): Promise<number> =>
    Number((await run('id', [flag, 'postgres'])).stdout.trim());
  return { uid: await idOf('-u'), gid: await idOf('-g') };
}

/** Throws a StartError that names the first folder the user cannot enter. */
export async function requireEnterable(path: string, user: SystemUser | undefined): Promise<void> {
  if (user === undefined) return;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) throw closed(folder, path);
    if (folder === parse(folder).root) return;
  }
}

function closed(folder: string, path: string): StartError {
  return new StartError({
    code: 'local_folder_closed',
    message: `user \`postgres\` cannot enter \`${folder}\`, and PostgreSQL, which must not run as root, needs \`${path}\``,
    hint: `move the checkout to a folder that every user can enter, run as another user than root, or \`chmod o+x ${folder}\``,
    exitCode: 1,
  });
}
