/** What the front doors are tried on: a test's own database and namespace, development keys, workers in this process. */
import { expect } from '@jest/globals';
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { loadConfig } from '../../src/platform/config/config.js';
import { ensureDevKeys, type DevKeys } from '../../src/platform/local/dev-keys.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { runCommand } from '../../src/cli/program.js';
import type { Extensions } from '../../src/workers/setup.js';
import { startWorkers } from '../../src/workers/start.js';
import { temporaryFolder } from '../stack/servers.js';
import { createStack, type Stack } from '../stack/stack.js';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
const loader = pathToFileURL(join(repository, 'test/stack/typescript-loader.mjs')).href;

export type Said = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a TypeScript program of the repository. Nothing of this process's environment but PATH and HOME comes along. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd = repository): Promise<Said> {
  const child = spawn(process.execPath, ['--import', loader, join(repository, program), ...args], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (texts.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (texts.err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code: code ?? (signal === null ? -1 : 128), ...texts });
    });
  });
}

/** The command line in this process: everything of it but the last line of main.ts. */
export async function rok(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Said> {
  const texts = { out: '', err: '' };
  const to = (name: keyof typeof texts) => ({
    write: (text: string | Uint8Array) => {
      texts[name] += String(text);
      return true;
    },
  });
  const code = await runCommand(args, { env, out: to('out'), err: to('err') });
  return { code, ...texts };
}

export type Rig = {
  readonly stack: Stack;
  readonly env: NodeJS.ProcessEnv;
  readonly keys: DevKeys;
  readonly folder: string;
  rok(...args: readonly string[]): Promise<Said>;
  /** For tests of what nobody may change meanwhile: the sample would find what they plant, and say so in a new receipt. */
  stopWorkers(): Promise<void>;
  stop(): Promise<void>;
};

export type RigOptions = {
  /** Without workers nothing answers, which is a case too. */
  readonly workers?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  readonly extensions?: Extensions;
};

export async function createRig(options: RigOptions = {}): Promise<Rig> {
  const stack = await createStack();
  const folder = await temporaryFolder('cli');
  const keys = await ensureDevKeys(join(folder, 'keys'));
  const env = { ...environmentOf(stack, keys), ...options.env };
  let workers =
    options.workers === false
      ? null
      : await startWorkers(['control', 'execute', 'audit'], {
          config: loadConfig(env),
          temporal: temporalSettings(env),
          log: createLogger({ level: 'error' }),
          sweepMs: 1_000,
          ...(options.extensions === undefined ? {} : { extensions: options.extensions }),
        });
  return {
    stack,
    env,
    keys,
    folder,
    rok: (...args) => rok(args, env),
    async stopWorkers() {
      await workers?.stop();
      workers = null;
    },
    async stop() {
      await workers?.stop();
      await stack.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function environmentOf(stack: Stack, keys: DevKeys): NodeJS.ProcessEnv {
  return {
    GOVERNANCE_PROFILE: 'STANDARD',
    ROK_LOG_LEVEL: 'error',
    ...Object.fromEntries(
      Object.entries(stack.urls).map(([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url]),
    ),
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.namespace,
    ROK_SIGNING_KEY: keys.signingKey,
    ROK_ASSERTION_KEY: keys.assertionKey,
    ROK_JWKS: keys.assertionKeySet,
  };
}

/** Asks until the answer is there; a test's own time limit is the only other end. */
export async function eventually<T>(ask: () => Promise<T | null | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A part of a text, where a whole one is expected. */
export const saying = (part: string): unknown => expect.stringContaining(part);
