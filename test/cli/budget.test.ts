/** Accounts and their drift at the command line, on real runs through the real stack; each offender planted by a superuser. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { RokError } from '../../src/domain/errors.js';
import { defineSkill } from '../../src/execute/skills/skill.js';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { temporaryFolder } from '../stack/servers.js';
import { deploymentIn, look } from './deployment.js';
import { attemptOffences, offences, type Planted } from './ledger-offences.js';
import { otherPayload, plantIn } from './ledger-plant.js';
import { createRig, eventually, rok, saying, type Rig, type Said } from './rig.js';

/** Of `quick`: steps 2 and 4 are skill calls, the second of which fails. Of `slow`: step 3 is killed. */
const AGENTS = {
  quick: { turns: [{ calls: [look()] }, { calls: [['broken', {}] as const] }, {}], skills: ['broken'] },
  slow: { turns: [{ calls: [look()] }, { latencyMs: 20_000 }] },
};
const broken = defineSkill({
  name: 'broken',
  version: '1',
  description: 'Fails, having done nothing.',
  input: z.strictObject({}),
  access: 'read',
  idempotency: 'none',
  timeoutMs: 1_000,
  maxOutputBytes: 100,
  run: () => Promise.reject(new RokError('skill_failed', 'broken')),
});
const login = `rok_auditor_${randomBytes(6).toString('hex')}`;
const password = randomBytes(12).toString('hex');

let rig: Rig;
let folder: string;
/** Of tenant acme: one that succeeded and one that was killed with a call in flight; of globex, above its cap, unenforced. */
let done: string;
let killed: string;
let theirs: string;
/** What was found while they ran. */
const meanwhile: Said[] = [];
beforeAll(async () => {
  folder = await temporaryFolder('budgets');
  const policies = { 'default.cedar': '@id("all") permit (principal, action, resource);' };
  rig = await createRig({ env: await deploymentIn(folder, AGENTS, policies), extensions: { skills: [broken] } });
  const { admin } = rig.stack;
  await admin.query(`CREATE ROLE ${login} LOGIN PASSWORD '${password}' IN ROLE rok_auditor`);
  await admin.query('INSERT INTO auditor.tenants (login, tenant) VALUES ($1, $2)', [login, 'acme']);
  await admin.query(`INSERT INTO decide.tenants (tenant, profile) VALUES ('globex', 'OBSERVE_ONLY')`);
  await admin.query(`INSERT INTO decide.budgets (scope, subject, unit, time_window, cap, on_breach) VALUES
    ('all', '', 'tokens', 'month', 1000000, 'pause'), ('tenant', 'acme', 'usd_micros', 'day', 5000000, 'deny'),
    ('agent', 'acme/quick', 'calls', 'forever', 100, 'deny'), ('label', 'acme/team=desk', 'usd_micros', 'month', 900000, 'deny'),
    ('tenant', 'globex', 'usd_micros', 'forever', 20, 'deny'), ('tenant', 'other', 'calls', 'day', 1, 'deny')`);
  [done, killed, theirs] = await Promise.all([
    start('quick', 'acme', '--label', 'team=desk'),
    start('slow', 'acme'),
    start('quick', 'globex'),
  ]);
  await eventually(async () => {
    meanwhile.push(await rig.rok('ledger', '--drift'));
    const text = 'SELECT 1 FROM execute.attempts WHERE run_id = $1 AND step = 3';
    return (await admin.query(text, [killed.slice(4)]))[0];
  });
  const sure = ['--yes', '--reason', 'a drill', '--as', 'carol', '--role', 'operator', '--sign'];
  expect(await rig.rok('run', 'kill', killed, ...sure)).toMatchObject({ code: 0 });
  for (const run of [done, killed, theirs]) await rig.rok('run', 'wait', run);
  await eventually(async () => {
    const [row] = await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM audit.receipts');
    return row?.n === 3 ? row : null;
  });
  await rig.stopWorkers();
}, 120_000);
afterAll(async () => {
  await rig.stack.admin.query('DELETE FROM auditor.tenants WHERE login = $1', [login]);
  const url = new URL(rig.stack.adminUrl);
  url.pathname = '/postgres';
  await rig.stop();
  const server = await openDatabase(url.href, { applicationName: 'tests', max: 1 });
  await server.query(`DROP ROLE ${login}`);
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(agent: string, tenant: string, ...more: readonly string[]): Promise<string> {
  const { code, out, err } = await rig.rok(
    ...['run', 'start', agent, '--input', 'go', '--tenant', tenant, '--as', 'alice', ...more],
  );
  expect({ code, err }).toMatchObject({ code: 0 });
  return out.trim();
}
const linesOf = ({ out }: Said): readonly Record<string, string | null>[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string | null>);
const namesOf = (said: Said): readonly string[] =>
  linesOf(said).map(({ scope, subject, unit, window }) => [scope, subject, unit, window].join(' '));

function auditor(...args: readonly string[]): Promise<Said> {
  const url = new URL(rig.stack.adminUrl);
  [url.username, url.password] = [login, password];
  return rok(args, { GOVERNANCE_PROFILE: 'STANDARD', ROK_DATABASE_URL_READ: url.href });
}

describe('rok budget show', () => {
  const accountsOfDone = () => [
    'all  tokens month',
    'tenant acme usd_micros day',
    'agent acme/quick calls forever',
    'label acme/team=desk usd_micros month',
    `run ${done.slice(4)} tokens run`,
    `run ${done.slice(4)} usd_micros run`,
  ];

  it('given a run shows every account that it takes from, and no other, as the ledger has them', async () => {
    const shown = await rig.rok('budget', 'show', done, '--json');
    expect(shown.code).toBe(0);
    expect(namesOf(shown)).toEqual(accountsOfDone());
    for (const one of linesOf(shown)) {
      const [account] = await rig.stack.admin.query(
        `SELECT cap::text, spent::text, reserved::text, over::text, (cap - spent - reserved - over)::text AS free, on_breach AS "onBreach",
          warned_at AS "warnedAt", window_start AS "windowStart"
        FROM decide.accounts WHERE (scope, subject, unit, time_window) = ($1, $2, $3, $4)`,
        [one['scope'], one['subject'], one['unit'], one['window']],
      );
      expect(one).toMatchObject(account ?? { account: 'none' });
    }
    // Three model calls of 10 and 5 tokens, a micro-USD each, and two of skills, of which one failed and is none.
    expect(linesOf(shown).map(({ spent }) => spent)).toEqual([
      expect.any(String),
      expect.any(String),
      '4',
      '45',
      '45',
      '45',
    ]);
    expect(linesOf(await rig.rok('budget', 'show', done, '--scope', 'label', '--json'))).toHaveLength(1);
  });

  it('without one shows what is wider than a run, and what is above its cap has nothing free', async () => {
    const shown = await rig.rok('budget', 'show', '--json');
    expect(namesOf(shown)).toEqual([
      ...accountsOfDone().slice(0, 2),
      'tenant globex usd_micros forever',
      ...accountsOfDone().slice(2, 4),
    ]);
    expect(linesOf(shown)[2]).toMatchObject({ cap: '20', spent: '20', reserved: '0', over: '25', free: '0' });
    expect(linesOf(await rig.rok('budget', 'show', '--scope', 'run', '--tenant', 'acme', '--json'))).toHaveLength(4);
    expect(namesOf(await rig.rok('budget', 'show', '--tenant', 'globex', '--json'))).toEqual([
      'tenant globex usd_micros forever',
    ]);
    const table = (await rig.rok('budget', 'show', '--tenant', 'globex')).out;
    expect(table).toMatch(
      /^tenant +globex +usd +forever +0\.000020 +0\.000020 +0\.000000 +0\.000025 +0\.000000 +deny/m,
    );
    expect(await rig.rok('budget', 'show', '--tenant', 'nobody')).toMatchObject({ code: 0, out: 'no accounts\n' });
    expect(await rig.rok('budget', 'show', 'run_00000000-0000-7000-8000-000000000000')).toMatchObject({ code: 3 });
  });

  it('keeps a window that is over for the runs that lived in it, and shows it otherwise only when asked', async () => {
    const undo = await plantIn(
      rig.stack.admin,
      'decide.accounts',
      `UPDATE decide.accounts SET window_start = window_start - interval '2 days' WHERE scope = 'tenant' AND time_window = 'day'`,
    );
    const day = 'tenant acme usd_micros day';
    expect(namesOf(await rig.rok('budget', 'show', '--json'))).not.toContain(day);
    expect(namesOf(await rig.rok('budget', 'show', '--past', '--json'))).toContain(day);
    expect(namesOf(await rig.rok('budget', 'show', done, '--json'))).not.toContain(day);
    await undo();
    expect(namesOf(await rig.rok('budget', 'show', done, '--json'))).toContain(day);
  });

  it('shows an auditor the accounts of its tenant, and nothing that all tenants share', async () => {
    expect(namesOf(await auditor('budget', 'show', '--json'))).toEqual([
      accountsOfDone()[1],
      ...accountsOfDone().slice(2, 4),
    ]);
    expect(namesOf(await auditor('budget', 'show', done, '--json'))).toEqual(accountsOfDone().slice(1));
    expect(linesOf(await auditor('budget', 'show', '--tenant', 'globex', '--json'))).toEqual([]);
    expect(await auditor('budget', 'show', theirs)).toMatchObject({ code: 3, err: saying(`no run \`${theirs}\``) });
  });
});

describe('rok ledger --drift', () => {
  const drift = () => rig.rok('ledger', '--drift', '--json');

  it('finds nothing after real runs: one that succeeded, one killed in flight, one above a cap', async () => {
    const states = await rig.stack.admin.query<{ state: string; status: string | null }>(
      `SELECT DISTINCT w.state, s.status FROM decide.reservations w LEFT JOIN execute.results s USING (run_id, step, attempt) ORDER BY 1, 2`,
    );
    expect(states).toEqual([
      { state: 'forfeited', status: 'unknown' },
      { state: 'settled', status: 'failed' },
      { state: 'settled', status: 'succeeded' },
    ]);
    expect(meanwhile.filter(({ code, out }) => code !== 0 || out !== '')).toEqual([]);
    expect(await drift()).toMatchObject({ code: 0, out: '', err: saying('nothing drifts') });
    expect(await rig.rok('budget', 'ledger', '--drift')).toMatchObject({ code: 0 });
    expect(await auditor('ledger', '--drift')).toMatchObject({ code: 0, err: saying('nothing drifts') });
    expect(await rig.rok('ledger')).toMatchObject({ code: 2, err: saying('add `--drift`') });
  });

  let planted: Planted;
  beforeAll(async () => {
    const [row] = await rig.stack.admin.query<{ jws: string }>('SELECT jws FROM audit.receipts WHERE run_id = $1', [
      done.slice(4),
    ]);
    planted = {
      ...{ done, killed },
      less: otherPayload(row?.jws ?? '', (text) => text.replace('"spentMicros":"45"', '"spentMicros":"44"')),
      unreadable: otherPayload(row?.jws ?? '', (text) => text.replaceAll('"facts"', '"\u00e9\u0000facts')),
    };
    expect(planted.less).not.toBe(row?.jws);
  });

  it.each(offences)('finds and names %s', async (_name, table, offence, expected) => {
    const undo = await plantIn(rig.stack.admin, table, offence(planted));
    try {
      const found = await drift();
      const said = linesOf(found).map(({ check, what }) => `${check ?? ''}: ${(what ?? '').replace(/ \d+$/, '')}`);
      expect({ code: found.code, said: [...new Set(said)].sort() }).toEqual({ code: 6, said: [...expected].sort() });
      for (const { subject } of linesOf(found)) expect(subject).toMatch(/acme|run_|[0-9a-f]{8}-|^all, tokens$/);
    } finally {
      await undo();
    }
    expect(await drift()).toMatchObject({ code: 0, out: '' });
  });

  it.each(attemptOffences)('says of a planted attempt: %s', async (what, step, statements) => {
    const seen: unknown[] = [];
    await rig.stack.admin
      .transaction(async (sql) => {
        await sql.query('SET LOCAL session_replication_role = replica');
        for (const statement of statements) await sql.query(statement(planted));
        seen.push(...(await sql.query('SELECT step, what FROM audit.v_attempt_drift')));
        throw new Error('undone');
      })
      .catch((error: unknown) => {
        if ((error as Error).message !== 'undone') throw error;
      });
    expect(seen).toEqual([{ step, what }]);
  });

  it('shows an auditor what drifts in its tenant, and nothing of another', async () => {
    const { admin } = rig.stack;
    const move = (subject: string) =>
      plantIn(admin, 'decide.accounts', `UPDATE decide.accounts SET over = over + 1 WHERE subject = '${subject}'`);
    const undoTheirs = await move('globex');
    expect(await rig.rok('ledger', '--drift')).toMatchObject({
      code: 6,
      out: saying('tenant globex, usd_micros a forever'),
    });
    expect(await auditor('ledger', '--drift')).toMatchObject({ code: 0, out: '' });
    await undoTheirs();
    const undoMine = await move('acme');
    const seen = await auditor('ledger', '--drift', '--json');
    expect({ code: seen.code, seen: linesOf(seen) }).toEqual({
      code: 6,
      seen: [
        {
          check: 'balances',
          subject: expect.stringMatching(/^tenant acme, usd_micros a day of \d{4}-/),
          what: 'over',
          ledger: '1',
          against: '0',
        },
      ],
    });
    await undoMine();
  });
});
