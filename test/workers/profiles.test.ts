/** What each profile makes of a deployment: the cells of its table that are about the start of a worker. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROFILES, type Profile } from '../../src/domain/profiles.js';
import { parseConfig } from '../../src/platform/config/config.js';
import { ensureDevKeys } from '../../src/platform/local/dev-keys.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { assertionKeysOf, auditsKeysOf } from '../../src/workers/assertion-keys.js';
import { loadDecideDeps } from '../../src/workers/decide-deps.js';
import { openPool } from '../../src/workers/open-pool.js';
import type { WorkerSetup } from '../../src/workers/setup.js';
import { signerOf } from '../../src/workers/signing.js';
import { startWorkers } from '../../src/workers/start.js';
import { createStack, type Stack } from '../stack/stack.js';

let stack: Stack;
let folder: string;
beforeAll(async () => {
  stack = await createStack();
  folder = await mkdtemp(join(tmpdir(), 'rok-profiles-'));
  await mkdir(join(folder, 'nothing'));
}, 60_000);
afterAll(async () => {
  await stack.drop();
  await rm(folder, { recursive: true, force: true });
});

/** What it refuses with, or what it warns of. */
async function cell(profile: Profile, env: NodeJS.ProcessEnv, start: (setup: WorkerSetup) => Promise<unknown>) {
  const lines: string[] = [];
  const parsed = parseConfig({ GOVERNANCE_PROFILE: profile, ...env });
  if (!parsed.ok) throw parsed.error;
  const log = createLogger({ level: 'warn', sink: { write: (line: string) => lines.push(line) } });
  const temporal = temporalSettings({ TEMPORAL_ADDRESS: stack.temporalAddress, TEMPORAL_NAMESPACE: stack.namespace });
  const refused = await start({ config: parsed.value, log, temporal }).then(
    () => null,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  return { refused, warned: lines.map((line) => (JSON.parse(line) as { msg: string }).msg) };
}
const inEach = (env: NodeJS.ProcessEnv, start: (setup: WorkerSetup) => Promise<unknown>) =>
  Promise.all(PROFILES.map((profile) => cell(profile, env, start)));

it('no policy set: refused, refused, warned of', async () => {
  const nothing = join(folder, 'nothing');
  const found = await inEach({ ROK_POLICIES: nothing, ROK_AGENTS: nothing }, loadDecideDeps);
  const refused = (profile: string) => `profile ${profile} needs a policy set and \`${nothing}\` holds none`;
  expect(found).toEqual([
    { refused: refused('STRICT'), warned: [] },
    { refused: refused('STANDARD'), warned: [] },
    { refused: null, warned: ['no policy set'] },
  ]);
});

it('a shared login, and a database that may lose commits: refused, warned of, warned of', async () => {
  const open = async (setup: WorkerSetup) => (await openPool(setup, 'decide', 'control', 1)).close();
  const found = await inEach({ ROK_DATABASE_URL: stack.adminUrl }, open);
  const warned = { refused: null, warned: ['fine for development, refused in STRICT'] };
  expect(found).toEqual([
    {
      refused:
        'profile STRICT refuses this database: `rok_decide` is taken on by a login that may take on others; ' +
        '`fsync` is off; `full_page_writes` is off; `synchronous_commit` is off',
      warned: [],
    },
    warned,
    warned,
  ]);
});

it('no signing key: refused, warned of, warned of; a development key is refused in STRICT', async () => {
  const warned = 'no ROK_SIGNING_KEY: receipts are signed with a development key of this process';
  expect(await inEach({}, signerOf)).toEqual([
    { refused: 'profile STRICT needs `ROK_SIGNING_KEY`', warned: [] },
    { refused: null, warned: [warned] },
    { refused: null, warned: [warned] },
  ]);
  const { signingKey } = await ensureDevKeys(join(folder, 'keys'));
  const found = await inEach({ ROK_SIGNING_KEY: signingKey }, signerOf);
  expect(found.map(({ refused }) => refused)).toEqual([
    'profile STRICT refuses `development-receipt`, which is a development key',
    null,
    null,
  ]);
});

it('assertion keys: without any the audit is refused in STRICT alone, as development keys are on each worker', async () => {
  const refusals = async (env: NodeJS.ProcessEnv, start: (setup: WorkerSetup) => Promise<unknown>) =>
    (await inEach(env, start)).map(({ refused }) => refused);
  const needed = 'profile STRICT needs `ROK_JWKS` on the audit worker, to verify assertions again';
  expect(await refusals({}, auditsKeysOf)).toEqual([needed, null, null]);
  expect(await refusals({}, assertionKeysOf)).toEqual([null, null, null]);
  const { assertionKeySet } = await ensureDevKeys(join(folder, 'keys'));
  const development = 'profile STRICT refuses `development-assertion` in `ROK_JWKS`, which is a development key';
  for (const start of [auditsKeysOf, assertionKeysOf])
    expect(await refusals({ ROK_JWKS: assertionKeySet }, start)).toEqual([development, null, null]);
});

it.each(['control', 'execute', 'audit'] as const)(
  'a point to crash at is refused by worker %s in STRICT',
  async (name) => {
    const found = await inEach({ ROK_CRASH_AT: 'redeem.after' }, (setup) => startWorkers([name], setup));
    const refused = 'profile STRICT refuses `ROK_CRASH_AT`, which ends a worker on purpose';
    expect(found.map((one) => one.refused === refused)).toEqual([true, false, false]);
  },
);

it('audit beside execute: refused, warned of, warned of', async () => {
  // No database is named, so that nothing starts beyond the question.
  const found = await inEach({}, (setup) => startWorkers(['audit', 'execute'], setup));
  const mixing = 'audit and execute share a process: fine for development, refused in STRICT';
  expect(found.map(({ refused }) => refused?.includes('refuses to run `audit` in one process'))).toEqual([
    true,
    false,
    false,
  ]);
  expect(found.map(({ warned }) => warned.includes(mixing))).toEqual([false, true, true]);
});
