import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { settingsDigest } from '../../src/domain/digest.js';
import { INIT_FILES } from '../../src/cli/commands/init/init-files.js';
import { loadSkills } from '../../src/cli/commands/dev/load-skills.js';
import { createRig, repository, rok, run, type Rig } from '../cli/rig.js';
import { temporaryFolder } from '../stack/servers.js';

const INVOICE = { number: 'I-1', customer: 'Sample Cafe Chain', cents: 4200 };

describe('examples/start-run.ts, on the project that `rok init` writes', () => {
  let rig: Rig;
  let project: string;
  beforeAll(async () => {
    project = await temporaryFolder('init');
    await rok(['init', project], {});
    expect(Object.keys(INIT_FILES)).toHaveLength(4);
    rig = await createRig({
      env: { ROK_AGENTS: join(project, 'agents'), ROK_POLICIES: join(project, 'policies') },
      extensions: { skills: await loadSkills(join(project, 'skills')) },
    });
  });
  afterAll(async () => {
    await rig.stop();
    await rm(project, { recursive: true, force: true });
  });

  it('starts a run with nothing but a Temporal client and prints its result', async () => {
    const { code, out, err } = await run('examples/start-run.ts', ['hello', 'count these four words'], rig.env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      attempts: 3,
      decisions: { deny: 0, pause: 0 },
    });
  }, 60_000);
});

describe('examples/own-workflow', () => {
  const folder = 'examples/own-workflow';
  let rig: Rig;
  let worker: ChildProcess;
  beforeAll(async () => {
    rig = await createRig({
      workers: false,
      env: { ROK_AGENTS: join(repository, folder, 'agents'), ROK_POLICIES: join(repository, folder, 'policies') },
    });
    const loader = pathToFileURL(join(repository, 'test/stack/typescript-loader.mjs')).href;
    worker = spawn(process.execPath, ['--import', loader, join(repository, folder, 'worker.ts')], {
      cwd: repository,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...rig.env, OUTBOX: join(rig.folder, 'outbox') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(worker.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    expect(said.toString()).toContain('ready');
  }, 60_000);
  afterAll(async () => {
    worker.kill('SIGTERM');
    await once(worker, 'exit');
    await rig.stop();
  }, 60_000);

  it('sends what policy allows, is told what it denies, and ends COMPLETE', async () => {
    const { code, out, err } = await run(`${folder}/start.ts`, [], rig.env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({
      result: { outcome: 'succeeded', verdict: 'COMPLETE', decisions: { deny: 1 }, attempts: 2 },
      sent: ['I-1', 'I-3'],
      refused: ['I-2: invoices above 10000.00 are sent by a person'],
    });
    expect((await readdir(join(rig.folder, 'outbox'))).sort()).toEqual(['I-1.txt', 'I-3.txt']);
    // Whoever reads decisions cannot try out what the arguments were.
    const asked = await rig.stack.admin.query<{ arguments_digest: string; salt: string }>(
      `SELECT d.arguments_digest, encode(sha256(convert_to('rok.own-arguments.v1' || q.nonce, 'UTF8')), 'hex') AS salt
      FROM decide.decisions d JOIN decide.requests q USING (run_id) WHERE d.kind = 'skill.call' ORDER BY d.step`,
    );
    const { arguments_digest: first = '', salt } = asked[0] ?? {};
    expect(first).toBe(settingsDigest(INVOICE, salt ?? ''));
    expect(first).not.toBe(settingsDigest(INVOICE));
  }, 60_000);
});
