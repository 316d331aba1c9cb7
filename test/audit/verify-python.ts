/**
 * The independent verifier as a process. It brings the package it needs by itself, once, into the cache that the bootstrap
 * uses too; what is installed on the machine is left alone.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../stack/servers.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const requirements = join(repository, 'verify/requirements.txt');
const python = process.platform === 'win32' ? 'python' : 'python3';

export type PythonVerifier = (
  files: readonly string[],
  options?: readonly string[],
) => Promise<{ readonly code: number; readonly lines: readonly string[] }>;

/** @throws Error of one sentence when there is no Python 3 with pip, or pip reaches no registry */
export async function pythonVerifier(): Promise<PythonVerifier> {
  const packages = await packagesFolder();
  return (files, options = []) =>
    new Promise((resolve, reject) => {
      const child = spawn(python, [join(repository, 'verify/verify.py'), '-', ...options], {
        env: { PATH: process.env['PATH'], PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      const texts = { out: '', err: '' };
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (texts.out += chunk));
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (texts.err += chunk));
      child.once('error', reject);
      child.once('close', (code) => {
        const lines = texts.out.split('\n').slice(0, -1);
        if (lines.length === files.length) resolve({ code: code ?? -1, lines });
        else reject(new Error(`the Python verifier answered ${lines.length} of ${files.length} files: ${texts.err}`));
      });
      child.stdin.end(files.map((file) => `${file}\n`).join(''));
    });
}

/** What it says of these texts, one line each. */
export async function byPython(texts: readonly string[], jwks: object): Promise<readonly string[]> {
  const folder = await temporaryFolder('python');
  try {
    await writeFile(join(folder, 'keys.json'), JSON.stringify(jwks));
    const files = texts.map((_, at) => join(folder, `${at}.json`));
    await Promise.all(texts.map((text, at) => writeFile(files[at] ?? '', text)));
    return (await (await pythonVerifier())(files, ['--jwks', join(folder, 'keys.json')])).lines;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function packagesFolder(): Promise<string> {
  const version = run(['-c', 'import sys; print(sys.version_info[:2], sys.platform)']);
  const name = createHash('sha256')
    .update(version)
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 16);
  const cache = join(repository, '.rok/python');
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const place = await mkdtemp(join(cache, 'new-'));
  try {
    run(['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', place, '-r', requirements]);
    // Under its name only when it is whole; another test may have been faster.
    await rename(place, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(place, { recursive: true, force: true });
  }
  return folder;
}

function run(args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(python, args, { encoding: 'utf8', timeout: 180_000 });
  if (status === 0) return stdout;
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(
    `the independent verifier needs Python 3 with pip and a registry that pip reaches, and \`${python} ${args.slice(0, 3).join(' ')}\` failed: ${why}`,
  );
}
