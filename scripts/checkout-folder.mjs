/**
 * Refuses a checkout that PostgreSQL could not be run from, before anything is installed: it must not run as root, so root
 * hands it to user `postgres`, who must be able to enter each folder above the checkout. Changes no folder's mode.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SetupError } from './say.mjs';

/** @param {string} root @param {number | undefined} uid of who runs this */
export function requireEnterable(root, uid = process.getuid?.()) {
  if (uid !== 0) return;
  const closed = foldersAbove(root).find(isRootsAlone);
  if (closed === undefined) return;
  throw new SetupError(
    `user \`postgres\` cannot enter \`${closed}\`, and PostgreSQL, which must not run as root, is started from this checkout`,
    `move the checkout to a folder that every user can enter, run as another user than root, or \`chmod o+x ${closed}\``,
  );
}

/**
 * Of a folder that is somebody else's, or a group's, src/platform/local/postgres-user.ts asks the system who `postgres` is.
 * @param {string} folder
 */
function isRootsAlone(folder) {
  const { mode, uid, gid } = statSync(folder);
  return uid === 0 && gid === 0 && (mode & 0o001) === 0;
}

/** @param {string} folder @returns {string[]} the folder itself and all above it, the outermost first */
function foldersAbove(folder) {
  const above = dirname(folder);
  return above === folder ? [folder] : [...foldersAbove(above), folder];
}
