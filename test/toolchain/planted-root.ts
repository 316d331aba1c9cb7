/**
 * A small repository of its own in a temporary folder: the real scripts, with whatever files a test writes beside them.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export interface PlantedRoot {
  readonly folder: string;
  readonly write: (path: string, text: string) => void;
  /** Runs a script as its own process, without a terminal. */
  readonly run: (script: string, args?: readonly string[], env?: NodeJS.ProcessEnv) => Ended;
  readonly remove: () => void;
}

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly lastLine: string;
}

export function plantRoot(files: Readonly<Record<string, string>>): PlantedRoot {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rok-root-')));
  // Where root runs this, user `postgres` must be able to enter.
  chmodSync(folder, 0o755);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  cpSync(join(repository, 'scripts'), join(folder, 'scripts'), { recursive: true });
  for (const [path, text] of Object.entries(files)) write(path, text);
  return {
    folder,
    write,
    run: (script, args = [], env = {}) => {
      // The outer jest marks its workers by these, and npm its scripts: the inner process is neither.
      const clean = Object.entries(process.env).filter(([name]) => !/^(JEST_|npm_|NODE_OPTIONS$|CI$)/.test(name));
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, script), ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...Object.fromEntries(clean), ...env },
        input: '',
      });
      return { exitCode: status, stdout, stderr, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The repository's packages, in the planted root. */
export function shareNodeModules(root: PlantedRoot): void {
  symlinkSync(join(repository, 'node_modules'), join(root.folder, 'node_modules'), 'dir');
}
