/** An auditor at the command line of a living deployment: everything of its tenant can be read, nothing can be changed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../../src/platform/postgres/database.js';
import type { OpenHold } from '../../src/reader/read.js';
import { createRig, eventually, rok, saying, type Rig, type Said } from './rig.js';

const login = `rok_auditor_${randomBytes(6).toString('hex')}`;
let rig: Rig;
let env: NodeJS.ProcessEnv;
let mine: string;
let theirs: string;
let hold: OpenHold;
beforeAll(async () => {
  rig = await createRig();
  const password = randomBytes(12).toString('hex');
  await rig.stack.admin.query(`CREATE ROLE ${login} LOGIN PASSWORD '${password}' IN ROLE rok_auditor`);
  await rig.stack.admin.query('INSERT INTO auditor.tenants (login, tenant) VALUES ($1, $2)', [login, 'acme']);
  const url = new URL(rig.stack.adminUrl);
  [url.username, url.password] = [login, password];
  // What an auditor is given: a way to Temporal, its own login, and an issuer that says who it is.
  const { GOVERNANCE_PROFILE, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ROK_ASSERTION_KEY } = rig.env;
  env = {
    ...{ GOVERNANCE_PROFILE, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ROK_ASSERTION_KEY },
    ROK_DATABASE_URL_READ: url.href,
  };
  [mine, theirs] = await Promise.all([start('acme'), start('globex')]);
  [hold] = await Promise.all([holdOf(mine), holdOf(theirs)]);
}, 120_000);
afterAll(async () => {
  await rig.stack.admin.query('DELETE FROM auditor.tenants WHERE login = $1', [login]);
  const url = new URL(rig.stack.adminUrl);
  url.pathname = '/postgres';
  await rig.stop();
  const server = await openDatabase(url.href, { applicationName: 'tests', max: 1 });
  await server.query(`DROP ROLE ${login}`);
  await server.close();
});

async function start(tenant: string): Promise<string> {
  const { code, out, err } = await rig.rok(
    ...['run', 'start', 'refund-desk', '--input', 'the refunds', '--as', 'alice', '--tenant', tenant],
  );
  expect({ code, err }).toMatchObject({ code: 0 });
  return out.trim();
}
const holdOf = (run: string): Promise<OpenHold> =>
  eventually(async () => {
    const holds = linesOf(await rig.rok('approval', 'list', '--json'));
    return holds.find((one) => one.run === run);
  });
/** Of lines that are no holds only `run` is read one by one. */
const linesOf = ({ out }: Said): readonly (OpenHold & { readonly run: string })[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as OpenHold & { readonly run: string });

const auditor = (...args: readonly string[]): Promise<Said> => rok(args, env);
const EVE = ['--as', 'eve', '--role', 'auditor', '--sign'];
const SURE = ['--yes', '--reason', 'to see whether I may'];
const acting = (run: string): Readonly<Record<string, readonly string[]>> => ({
  pause: ['run', 'pause', run],
  resume: ['run', 'resume', run],
  cancel: ['run', 'cancel', run, ...SURE],
  kill: ['run', 'kill', run, ...SURE],
  finalize: ['run', 'finalize', run, ...SURE],
  approve: ['approval', 'approve', run, '--digest', hold.digest ?? ''],
  reject: ['approval', 'reject', run, '--digest', hold.digest ?? ''],
});
const actsOf = (run: string) =>
  rig.stack.admin.query(
    `SELECT verb, actor, roles, allowed, assertion IS NOT NULL AS asserted FROM decide.acts WHERE run_id = $1 AND actor = 'eve' ORDER BY verb`,
    [run.slice(4)],
  );
const standOf = async (run: string) => {
  const [row] = await rig.stack.admin.query(
    `SELECT r.phase, r.outcome, r.latched_at, h.hold, h.resolved_at FROM decide.runs r JOIN decide.holds h USING (run_id) WHERE r.run_id = $1`,
    [run.slice(4)],
  );
  return row;
};

describe('an auditor, while a run of its tenant waits for an approval', () => {
  it('sees it, and no run of another tenant', async () => {
    expect(linesOf(await auditor('run', 'list', '--json')).map(({ run }) => run)).toEqual([mine]);
    expect(linesOf(await auditor('approval', 'list', '--json')).map(({ run }) => run)).toEqual([mine]);
    const [shown] = linesOf(await auditor('run', 'show', mine, '--json'));
    expect(shown).toMatchObject({ run: mine, tenant: 'acme', phase: 'EXECUTING', verdict: null });
    for (const command of [['run', 'show'], ['run', 'watch'], ['run', 'wait'], ['verify'], ['export', '--out', 'x']])
      expect(await auditor(...command, theirs)).toMatchObject({
        code: 3,
        out: '',
        err: saying(`no run \`${theirs}\``),
      });
  }, 60_000);

  it('is refused every verb, which is recorded, and the run stands as it stood', async () => {
    const before = await standOf(mine);
    const verbs = acting(mine);
    for (const [verb, command] of Object.entries(verbs))
      expect([verb, await auditor(...command, ...EVE)]).toEqual([
        verb,
        { code: 4, out: '', err: saying(`\`eve\` may not ${verb}: `) },
      ]);
    expect(await actsOf(mine)).toEqual(
      Object.keys(verbs)
        .sort()
        .map((verb) => ({ verb, actor: 'eve', roles: ['auditor'], allowed: false, asserted: true })),
    );
    expect(await standOf(mine)).toEqual(before);
  }, 60_000);

  it('is not told of another tenant by being refused there: there is no such run', async () => {
    for (const command of Object.values(acting(theirs)))
      expect(await auditor(...command, ...EVE)).toMatchObject({ code: 3, err: saying(`no run \`${theirs}\``) });
    expect(await actsOf(theirs)).toEqual([]);
  }, 60_000);

  it('may not halt, lift a halt, or publish a policy set either', async () => {
    for (const verb of ['set', 'lift'])
      expect(await auditor('halt', verb, 'tenant', 'acme', '--reason', 'I wonder', ...EVE)).toMatchObject({
        code: 4,
        err: saying(`\`eve\` may not halt.${verb}`),
      });
    const refused = await rig.stack.admin.query(
      `SELECT verb, allowed, code FROM decide.admin_acts WHERE actor = 'eve' ORDER BY verb`,
    );
    expect(refused).toEqual([
      { verb: 'halt.lift', allowed: false, code: 'actor_refused' },
      { verb: 'halt.set', allowed: false, code: 'actor_refused' },
    ]);
  }, 60_000);
});

describe('an auditor, when the run has ended', () => {
  it('reads its trace, what was refused included, exports it, and verifies the file offline', async () => {
    const approved = await rig.rok(
      ...['approval', 'approve', mine, '--digest', hold.digest ?? '', '--as', 'bob', '--role', 'approver:finance'],
    );
    expect(approved).toMatchObject({ code: 0 });
    expect(await auditor('run', 'wait', mine)).toMatchObject({ code: 0 });
    const watched = await auditor('run', 'watch', mine);
    expect(watched).toMatchObject({ code: 0 });
    expect(watched.out).toContain('eve');
    const [shown] = linesOf(await auditor('run', 'show', mine, '--json'));
    expect(shown).toMatchObject({ run: mine, phase: 'COMPLETED', outcome: 'succeeded', verdict: 'COMPLETE' });

    const file = join(rig.folder, 'bundle.json');
    expect(await auditor('export', mine, '--out', file)).toMatchObject({ code: 0 });
    expect(await rok(['verify', file, '--offline', '--jwks', rig.keys.receiptKeySet], {})).toMatchObject({
      code: 0,
      out: saying('verified: receipt 1'),
    });
    const bundle = JSON.parse(await readFile(file, 'utf8')) as {
      contract: string;
      trace: readonly { bytes: string }[];
    };
    expect(JSON.parse(bundle.contract)).toMatchObject({ tenant: 'acme', run: mine });
    const told = bundle.trace.map(({ bytes }) => JSON.parse(bytes) as { kind: string; body: { actor?: string } });
    expect(told.filter(({ kind, body }) => kind === 'message.refused' && body.actor === 'eve').length).toBe(7);
  }, 90_000);
});
