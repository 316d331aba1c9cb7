/** A halt through the command line on the real stack: between decision and call, in every profile, with a broken set. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPair, exportJWK } from 'jose';
import { writeFile } from 'node:fs/promises';
import { loadConfig } from '../../src/platform/config/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { startWorkers } from '../../src/workers/start.js';
import { temporaryFolder } from '../stack/servers.js';
import { deploymentIn, look } from './deployment.js';
import { createRig, eventually, saying, type Rig } from './rig.js';

const TENANTS = { strict: 'STRICT', standard: 'STANDARD', watched: 'OBSERVE_ONLY', broken: 'STANDARD' } as const;
const AGENTS = {
  slow: { turns: [{ calls: [look()], latencyMs: 2_000 }, {}] },
  quick: { turns: [{}] },
};

let rig: Rig;
let folder: string;
const stops: (() => Promise<void>)[] = [];
const work = async (...names: readonly ('control' | 'execute' | 'audit')[]): Promise<() => Promise<void>> => {
  const workers = await startWorkers(names, {
    config: loadConfig(rig.env),
    temporal: temporalSettings(rig.env),
    log: createLogger({ level: 'silent' }),
    sweepMs: 1_000,
  });
  stops.push(() => workers.stop());
  return () => workers.stop();
};
let stopExecute: () => Promise<void>;
beforeAll(async () => {
  folder = await temporaryFolder('halts');
  const policies = { 'default.cedar': '@id("all") permit (principal, action, resource);' };
  rig = await createRig({ workers: false, env: await deploymentIn(folder, AGENTS, policies) });
  await work('control', 'audit');
  stopExecute = await work('execute');
  for (const [tenant, profile] of Object.entries(TENANTS))
    await rig.stack.admin.query('INSERT INTO decide.tenants (tenant, profile) VALUES ($1, $2)', [tenant, profile]);
}, 60_000);
afterAll(async () => {
  for (const stop of stops) await stop().catch(() => undefined);
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
});

const OLGA = ['--as', 'olga', '--role', 'operator', '--sign'];
const start = async (agent: string, tenant: string): Promise<string> => {
  const id = `${agent}-${tenant}-${Math.random().toString(36).slice(2)}`;
  const { code, out, err } = await rig.rok(
    'run',
    'start',
    agent,
    '--input',
    'go',
    '--tenant',
    tenant,
    '--id',
    id,
    '--as',
    'alice',
    '--sign',
  );
  expect({ code, err }).toMatchObject({ code: 0 });
  return out.trim();
};
const rows = <T extends object>(text: string, ...values: readonly unknown[]) => rig.stack.admin.query<T>(text, values);
const outcomeOf = async (run: string): Promise<string> => {
  const { out } = await rig.rok('run', 'wait', run, '--json', '--timeout', '30s');
  return (JSON.parse(out) as { outcome: string }).outcome;
};

describe('rok halt', () => {
  it('given runs of every profile decided and not yet called, stops each at redeem; no call is made, and they end', async () => {
    const runs = await Promise.all(Object.keys(TENANTS).map((tenant) => start('slow', tenant)));
    const uuids = runs.map((run) => run.slice(4));
    await eventually(async () => {
      const [row] = await rows<{ n: number }>(
        'SELECT count(*)::int AS n FROM execute.attempts WHERE run_id = ANY ($1)',
        uuids,
      );
      return row?.n === runs.length ? row : null;
    });
    // Ends what it has begun and takes nothing more: the next step is decided and waits.
    await stopExecute();
    await eventually(async () => {
      const [row] = await rows<{ n: number }>(
        `SELECT count(*)::int AS n FROM decide.reservations WHERE run_id = ANY ($1) AND step = 2 AND state = 'issued'`,
        uuids,
      );
      return row?.n === runs.length ? row : null;
    });
    await rows(
      `WITH set AS (INSERT INTO decide.policy_sets (digest, body, author, reason) VALUES (repeat('e', 64), '{"files":', 'pat', 'broken') RETURNING digest)
      INSERT INTO decide.rollouts (tenant, digest, author, reason) SELECT 'broken', digest, 'pat', 'broken' FROM set`,
    );
    const { code, out } = await rig.rok('halt', 'set', 'all', '--reason', 'a drill', ...OLGA);
    expect({ code, out }).toMatchObject({ code: 0, out: saying('halt.set: done by olga') });
    await work('execute');
    expect(await Promise.all(runs.map(outcomeOf))).toEqual(runs.map(() => 'policy_stopped'));
    const called = await rows('SELECT 1 FROM execute.attempts WHERE run_id = ANY ($1) AND step > 1', uuids);
    expect(called).toEqual([]);
    const refused = await rows<{ tenant: string; codes: readonly string[] }>(
      `SELECT r.tenant, ARRAY(SELECT x ->> 'code' FROM jsonb_array_elements(d.body -> 'reasons') x) AS codes
      FROM decide.decisions d JOIN decide.runs r USING (run_id) WHERE run_id = ANY ($1) AND d.step = 2 AND d.effect = 'deny' ORDER BY 1`,
      uuids,
    );
    expect(refused).toEqual([
      { tenant: 'broken', codes: ['halted', 'check_failed'] },
      { tenant: 'standard', codes: ['halted'] },
      { tenant: 'strict', codes: ['halted'] },
      { tenant: 'watched', codes: ['halted'] },
    ]);
    expect(await outcomeOf(await start('quick', 'standard'))).toBe('denied');
  }, 90_000);

  it('is shown until it is lifted, and then runs go on', async () => {
    expect((await rig.rok('halt', 'list')).out).toMatch(/all +olga/);
    expect(await rig.rok('halt', 'lift', 'tenant', 'standard', '--reason', 'not this', ...OLGA)).toMatchObject({
      code: 3,
    });
    expect(await rig.rok('halt', 'lift', 'all', '--reason', 'over', ...OLGA)).toMatchObject({ code: 0 });
    expect(await rig.rok('halt', 'list')).toMatchObject({ code: 0, out: 'nothing is halted\n' });
    expect((await rig.rok('halt', 'list', '--lifted', '--json')).out).toContain('"liftedBy":"olga"');
    expect(await outcomeOf(await start('quick', 'standard'))).toBe('succeeded');
  }, 60_000);

  it('on a tenant or an agent stops just that', async () => {
    const halt = (...what: readonly string[]) => rig.rok('halt', 'set', ...what, '--reason', 'a drill', ...OLGA);
    expect(await halt('tenant', 'watched')).toMatchObject({ code: 0 });
    expect(await halt('agent', 'strict/quick')).toMatchObject({ code: 0 });
    const ends = await Promise.all(
      [
        ['quick', 'watched'],
        ['quick', 'strict'],
        ['quick', 'standard'],
      ].map(async ([agent = '', tenant = '']) => outcomeOf(await start(agent, tenant))),
    );
    expect(ends).toEqual(['denied', 'denied', 'succeeded']);
  }, 60_000);
});

describe('who may not halt is refused, and it is recorded', () => {
  const halt = (...more: readonly string[]) =>
    rig.rok('halt', 'set', 'tenant', 'standard', '--reason', 'mine', ...more);
  const purpose = async (): Promise<{ verb: string; action: string }> => {
    const { out } = await halt('--purpose', '--as', 'x');
    return JSON.parse(out) as { verb: string; action: string };
  };
  const assertion = async (changes: object, key = rig.keys.assertionKey): Promise<string> => {
    const { importJWK, SignJWT } = await import('jose');
    const { readFile } = await import('node:fs/promises');
    const jwk = JSON.parse(await readFile(key, 'utf8')) as Record<string, string>;
    const now = Math.floor(Date.now() / 1000);
    const { verb, action } = await purpose();
    return new SignJWT({
      roles: ['operator'],
      verb,
      action,
      sub: 'mallory',
      iss: 'i',
      aud: `rok-admin/${now}-${Math.random()}`,
      jti: `${Math.random()}`,
      iat: now,
      exp: now + 60,
      ...changes,
    })
      .setProtectedHeader({ alg: 'EdDSA', kid: jwk['kid'] ?? '' })
      .sign(await importJWK(jwk, 'EdDSA'));
  };
  const last = async () => {
    const [row] = await rows<{
      actor: string;
      allowed: boolean;
      code: string | null;
      reason: string;
      changed: readonly string[];
    }>('SELECT actor, allowed, code, reason, changed FROM decide.admin_acts ORDER BY at DESC LIMIT 1');
    return row;
  };
  const inForce = () => rows(`SELECT 1 FROM decide.halts WHERE subject = 'standard' AND lifted_at IS NULL`);

  it('an actor without the role', async () => {
    expect(await halt('--as', 'bob', '--role', 'approver:finance')).toMatchObject({
      code: 4,
      err: saying('`local:bob` may not halt.set: needs role operator or role admin (grants/halt.set)'),
    });
    expect(await last()).toMatchObject({ actor: 'local:bob', allowed: false, code: 'actor_refused', changed: [] });
    expect(await inForce()).toEqual([]);
  });

  it('a local actor, where a tenant that it reaches is STRICT', async () => {
    const olga = ['--reason', 'mine', '--as', 'olga', '--role', 'operator'];
    for (const what of [['all'], ['tenant', 'strict'], ['agent', 'strict/slow']])
      expect(await rig.rok('halt', 'set', ...what, ...olga)).toMatchObject({
        code: 4,
        err: saying('requires a signed assertion'),
      });
    expect(await last()).toMatchObject({ actor: 'local:olga', allowed: false });
  });

  it.each([
    ['for another act', { action: 'f'.repeat(64) }, 'access.action'],
    ['for another verb', { verb: 'halt.lift' }, 'access.verb'],
    ['that expired', { exp: Math.floor(Date.now() / 1000) - 60 }, 'access.assertion'],
    ['without the role', { roles: ['auditor'] }, 'grants/halt.set'],
  ])('an assertion %s', async (_name, changes, rule) => {
    expect(await halt('--assertion', await assertion(changes))).toMatchObject({ code: 4, err: saying(`(${rule})`) });
    expect(await last()).toMatchObject({ allowed: false, reason: saying(rule) });
    expect(await inForce()).toEqual([]);
  });

  it('an assertion by a stranger, or one that was used before', async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const stranger = join(folder, 'stranger.json');
    await writeFile(stranger, JSON.stringify({ ...(await exportJWK(privateKey)), kid: 'k' }));
    expect(await halt('--assertion', await assertion({}, stranger))).toMatchObject({ code: 4 });
    const jti = 'once';
    expect(await halt('--assertion', await assertion({ jti }))).toMatchObject({ code: 0 });
    expect(await halt('--assertion', await assertion({ jti }))).toMatchObject({ code: 4, err: saying('used before') });
    expect(await inForce()).toHaveLength(1);
  });

  it('and what is malformed is not understood', async () => {
    for (const what of [['all', 'acme'], ['tenant'], ['agent', 'acme'], ['tenant', 'a b'], ['moon']])
      expect(await rig.rok('halt', 'set', ...what, '--reason', 'r', ...OLGA)).toMatchObject({ code: 2 });
    expect(await rig.rok('halt', 'set', 'tenant', 'standard', '--reason', ' ', ...OLGA)).toMatchObject({ code: 2 });
  });
});
