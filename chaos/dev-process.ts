/** `rok dev` as a user starts it, in a folder of its own: how to reach it, its commands, and its end. Plays no scenario. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readDevFile } from '../src/platform/local/dev-file.js';

export type Exit = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type DevProcess = {
  /** The environment that leads clients to it. */
  readonly env: NodeJS.ProcessEnv;
  readonly file: (...parts: readonly string[]) => string;
  /** One `rok` command against it. */
  readonly rok: (...args: readonly string[]) => Promise<Exit>;
  readonly stop: () => Promise<void>;
};

const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'dist/cli/main.js');

/** @throws Error where it ends before it is ready */
export async function startDev(): Promise<DevProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'rok-day-'));
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
  const child = spawn(process.execPath, [main, 'dev', '--json', '--data', folder], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<void>((resolve) => {
    // The demo is over when it says in how many seconds.
    lines.on('line', (line) => {
      if ('seconds' in (JSON.parse(line) as object)) resolve();
    });
  });
  await Promise.race([
    ready,
    exited.then(() => {
      throw new Error('rok dev ended before it was ready');
    }),
  ]);
  return {
    env: { ...env, ...(await readDevFile(folder)) },
    file: (...parts) => join(folder, ...parts),
    rok: (...args) => run([main, ...args, '--data', folder], env),
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Exit> {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}
