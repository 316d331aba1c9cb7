/**
 * Where the Temporal CLI is: as the environment says, on PATH, or where `npm start` put it. Deliberately fetches nothing:
 * the bootstrap script does.
 */
import { access, constants } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { StartError } from '../start-error.js';

export interface CliSearch {
  /** ROK_TEMPORAL_CLI: when set, nothing else is tried. */
  readonly given?: string | undefined;
  readonly path: string;
  /** The checkout's `.rok` folder. */
  readonly folder: string;
}

export async function findTemporalCli({ given, path, folder }: CliSearch): Promise<string> {
  if (given !== undefined) {
    if (await isExecutable(given)) return resolve(given);
    throw missing(`\`ROK_TEMPORAL_CLI\` is \`${given}\`, which cannot be run`);
  }
  const folders = [...path.split(delimiter).filter(Boolean), join(folder, 'bin')];
  for (const file of folders.map((entry) => join(entry, 'temporal'))) {
    if (await isExecutable(file)) return resolve(file);
  }
  throw missing(`no Temporal CLI on PATH or in \`${join(folder, 'bin')}\``);
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function missing(message: string): StartError {
  return new StartError({
    code: 'temporal_cli_missing',
    message,
    hint: 'run `npm start`, which fetches it, or set `ROK_TEMPORAL_CLI`, or `TEMPORAL_ADDRESS` to a Temporal of yours',
    exitCode: 9,
  });
}
