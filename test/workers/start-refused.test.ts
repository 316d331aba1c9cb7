import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureDevKeys } from '../../src/platform/local/dev-keys.js';

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

const root = fileURLToPath(new URL('../..', import.meta.url));
const loader = new URL('../stack/typescript-loader.mjs', import.meta.url).href;

/** The worker's front door in a process of its own, with nothing of ROK in its environment but what is given. */
function startWorker(env: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<Ended> {
  const clean = Object.entries(process.env).filter(([name]) => !/^(ROK_|GOVERNANCE_|TEMPORAL_)/.test(name));
  return new Promise((resolve) => {
    const command = ['--import', loader, 'src/worker.ts', ...args];
    const options = { cwd: root, env: { ...Object.fromEntries(clean), ROK_LOG_LEVEL: 'silent', ...env } };
    const child = execFile(process.execPath, command, options, (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

describe('a worker that cannot start', () => {
  let policies: string;
  beforeAll(async () => {
    policies = await mkdtemp(join(tmpdir(), 'rok-policies-'));
    await writeFile(join(policies, 'default.cedar'), 'permit (principal, action');
    await writeFile(join(policies, 'refunds.cedar'), 'permit (principal, action, resource);');
  });
  afterAll(() => rm(policies, { recursive: true }));

  it('names an unknown profile and the one that was meant', async () => {
    const { code, stderr } = await startWorker({ GOVERNANCE_PROFILE: 'STRCT' });
    expect({ code, first: stderr.split('\n')[0] }).toEqual({
      code: 1,
      first: '`GOVERNANCE_PROFILE` is `STRCT`, expected one of STRICT, STANDARD, OBSERVE_ONLY, did you mean `STRICT`',
    });
  }, 30_000);

  it('names an unknown variable of ours', async () => {
    const { code, stderr } = await startWorker({ GOVERNANCE_PROFILE: 'STANDARD', ROK_POLICYS: 'x' });
    expect({ code, first: stderr.split('\n')[0] }).toEqual({
      code: 1,
      first: 'unknown variable `ROK_POLICYS`, did you mean `ROK_POLICIES`',
    });
  }, 30_000);

  it('names a policy file that does not parse, before anything is connected', async () => {
    const { code, stderr } = await startWorker({ GOVERNANCE_PROFILE: 'STANDARD', ROK_POLICIES: policies }, [
      '--workers',
      'control',
    ]);
    expect(code).toBe(1);
    expect(stderr.split('\n')[0]).toMatch(/^policy file `default` does not parse: /);
    expect(stderr.trim().split('\n')).toHaveLength(2);
  }, 30_000);

  it('refuses audit beside execute in STRICT', async () => {
    const { code, stderr } = await startWorker({ GOVERNANCE_PROFILE: 'STRICT' }, ['--workers', 'audit,execute']);
    expect({ code, first: stderr.split('\n')[0] }).toEqual({
      code: 1,
      first: 'profile STRICT refuses to run `audit` in one process with `execute`',
    });
  }, 30_000);

  it('refuses a development key in STRICT, before anything is connected', async () => {
    const { signingKey } = await ensureDevKeys(join(policies, 'keys'));
    const { code, stderr } = await startWorker({ GOVERNANCE_PROFILE: 'STRICT', ROK_SIGNING_KEY: signingKey }, [
      '--workers',
      'audit',
    ]);
    expect({ code, first: stderr.split('\n')[0] }).toEqual({
      code: 1,
      first: 'profile STRICT refuses `development-receipt`, which is a development key',
    });
  }, 30_000);

  it('says which PostgreSQL does not answer, and what to do: exit 9', async () => {
    const url = 'postgresql://rok_execute:secret@127.0.0.1:1/rok';
    const { code, stderr } = await startWorker({ GOVERNANCE_PROFILE: 'STANDARD', ROK_DATABASE_URL_EXECUTE: url }, [
      '--workers',
      'execute',
    ]);
    expect(code).toBe(9);
    expect(stderr).toContain('127.0.0.1:1');
    expect(stderr).not.toContain('secret');
    expect(stderr.trim().split('\n')).toHaveLength(2);
  }, 30_000);
});
