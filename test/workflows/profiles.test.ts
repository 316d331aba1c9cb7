/**
 * What each profile does to whole runs: the evidence that all of them leave, who may ask, a halt; and where the trace cannot
 * be kept, a step that waits until the run expires, or in OBSERVE_ONLY a run that goes on and a gap that is found.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROFILES, type Profile } from '../../src/domain/profiles.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';
import { createAssertions, type Assertions } from './signing.js';

const AGENTS = {
  writer: { turns: [turn([call('orders.lookup', { order: 'A-1001' })]), turn([])] },
  // Denied by the shipped policy; held by it.
  grabber: {
    turns: [turn([call('orders.refund', { order: 'A-1001', amount_cents: 200_000, reason: 'all of it' })]), turn([])],
    policies: ['default', 'refunds'],
  },
};

describe('in each profile', () => {
  let rig: Rig;
  let folder: string;
  let assertions: Assertions;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-mute-'));
    assertions = await createAssertions(join(folder, 'jwks.json'));
    rig = await createRig({ env: { ...(await deployAgents(folder, AGENTS)), ROK_JWKS: assertions.keySet } });
    const { admin } = rig.stack;
    // The disk of one tenant's traces is full: what the login may do it still may, and the database refuses it.
    await admin.query(`CREATE TABLE public.mute (tenant text PRIMARY KEY, after_events integer NOT NULL)`);
    await admin.query(`CREATE FUNCTION public.refuse_mute() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN
        IF EXISTS (SELECT FROM decide.runs r JOIN public.mute m USING (tenant) WHERE r.run_id = NEW.run_id AND NEW.seq > m.after_events)
        THEN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END IF;
        RETURN NEW;
      END $$`);
    await admin.query(
      'CREATE TRIGGER refuse_mute BEFORE INSERT ON observe.events FOR EACH ROW EXECUTE FUNCTION public.refuse_mute()',
    );
    await admin.query(`INSERT INTO decide.tenants (tenant, profile) VALUES ('observe_only', 'OBSERVE_ONLY')`);
    // Half of it is the close's, of which the trace has a fifth.
    await admin.query(
      `INSERT INTO audit.terms (tenant, agent, run_time, grace, max_life)
      SELECT t, '*', run_time, '20 s', max_life FROM audit.terms, unnest('{mute-strict,mute,observe_only}'::text[]) t
      WHERE (tenant, agent) = ('*', '*')`,
    );
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const mute = (tenant: string, afterEvents: number) =>
    rig.stack.admin.query('INSERT INTO public.mute VALUES ($1, $2)', [tenant, afterEvents]);
  /** A tenant is its profile in small letters, unless it is another's. */
  async function start(
    profile: Profile,
    more: {
      readonly tenant?: string;
      readonly seconds?: number;
      readonly agent?: string;
      readonly signed?: boolean;
    } = {},
  ) {
    const { tenant = profile.toLowerCase(), seconds = 60, agent = 'writer', signed = profile === 'STRICT' } = more;
    const workflow = `rok/${tenant}/${randomUUID()}`;
    const actor = signed ? await assertions.claim({ workflow, verb: 'start', sub: 'alice' }) : { local: 'alice' };
    const deadline = new Date(Date.now() + seconds * 1000).toISOString();
    const spec = { tenant, agent, input: 'go', actor, deadline, ...(profile === 'STRICT' ? { profile } : {}) };
    return rig.start(workflow, spec);
  }
  const each = async (more: (profile: Profile) => Parameters<typeof start>[1] = () => ({})) => {
    const handles = await Promise.all(PROFILES.map((profile) => start(profile, more(profile))));
    return Promise.all(handles.map(async (handle) => ({ handle, result: await handle.result() })));
  };
  const findingsOf = async (workflowId: string) => {
    const [row] = await rig.stack.admin.query<{
      status: string;
      codes: readonly string[];
      attempts: number;
      profile: string;
    }>(
      `SELECT v.status, r.profile, ARRAY(SELECT DISTINCT f ->> 'code' FROM jsonb_array_elements(v.findings) f WHERE (f ->> 'blocking')::bool ORDER BY 1) AS codes,
        (SELECT count(*)::int FROM execute.attempts a WHERE a.run_id = r.run_id) AS attempts
      FROM decide.runs r JOIN audit.v_verdicts v USING (run_id) WHERE r.workflow_id = $1`,
      [workflowId],
    );
    return row;
  };

  it('a run leaves its contract with four promises, their acks, a whole trace, a verdict and a receipt', async () => {
    for (const { handle, result } of await each()) {
      expect(result).toMatchObject({
        outcome: 'succeeded',
        verdict: 'COMPLETE',
        receipt: expect.any(Number) as unknown,
      });
      const [left] = await rig.stack.admin.query(
        `SELECT r.profile, (SELECT count(*)::int FROM audit.expectations e WHERE e.run_id = r.run_id) AS promised,
          (SELECT array_agg(a.action ORDER BY a.action) FROM audit.acks a WHERE a.run_id = r.run_id) AS acked,
          (SELECT length::int FROM observe.heads h WHERE h.run_id = r.run_id) AS events,
          (SELECT count(*)::int FROM audit.receipts c WHERE c.run_id = r.run_id) AS receipts
        FROM decide.runs r WHERE r.workflow_id = $1`,
        [handle.workflowId],
      );
      expect(left).toEqual({
        profile: handle.workflowId.split('/')[1]?.toUpperCase(),
        promised: 4,
        acked: ['evaluate_policy', 'finalize_run', 'start_trace'],
        events: result.traceEvents,
        receipts: 1,
      });
    }
  }, 60_000);

  it('a denial is enforced, enforced, noted', async () => {
    const refunds = () => rig.stack.admin.query('SELECT order_id FROM shop.refunds');
    expect(await refunds()).toEqual([]);
    const ended = await each(() => ({ agent: 'grabber' }));
    expect(ended.map(({ result }) => result.decisions)).toEqual([
      { allow: 4, deny: 1, pause: 0 },
      { allow: 4, deny: 1, pause: 0 },
      { allow: 5, deny: 0, pause: 0 },
    ]);
    // What only watches does not stop: the refund was made, once, by the one run that could.
    expect(await refunds()).toHaveLength(1);
  }, 60_000);

  it('an actor must be signed; or is local, and labelled so', async () => {
    const ended = await each(() => ({ signed: false }));
    expect(ended.map(({ result }) => result.outcome)).toEqual(['denied', 'succeeded', 'succeeded']);
    expect(ended[0]?.result.detail).toContain('this profile requires a signed assertion');
    const actors = await rig.stack.admin.query(
      `SELECT actor ->> 'name' AS name, actor ->> 'issuer' AS issuer FROM decide.runs WHERE workflow_id = ANY ($1)`,
      [ended.slice(1).map(({ handle }) => handle.workflowId)],
    );
    const local = { name: 'local:alice', issuer: 'local' };
    expect(actors).toEqual([local, local]);
    const given = await each(() => ({ signed: true }));
    expect(given.map(({ result }) => result.outcome)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  }, 60_000);

  it('a halt stops it', async () => {
    await rig.stack.admin.query(
      `INSERT INTO decide.halts (scope, subject, reason, set_by) VALUES ('all', '', 'stop', 'olga')`,
    );
    const ended = await each();
    await rig.stack.admin.query(`UPDATE decide.halts SET lifted_by = 'olga', lifted_at = now()`);
    expect(ended.map(({ result }) => [result.outcome, result.attempts])).toEqual(PROFILES.map(() => ['denied', 0]));
  }, 60_000);

  it('STRICT and STANDARD: without its trace the next step waits, so nothing more is called; then the run is expired and INCOMPLETE', async () => {
    // All that goes with the first model call's decision is kept; what that call did is not.
    for (const tenant of ['mute-strict', 'mute']) await mute(tenant, 3);
    const handles = await Promise.all([
      start('STRICT', { tenant: 'mute-strict', seconds: 3 }),
      start('STANDARD', { tenant: 'mute', seconds: 3 }),
    ]);
    const results = await Promise.all(handles.map((handle) => handle.result()));
    const expired = { phase: 'FAILED', outcome: 'expired', verdict: 'INCOMPLETE' };
    expect(results).toMatchObject([expired, expired]);
    const found = await Promise.all(handles.map(({ workflowId }) => findingsOf(workflowId)));
    const broken = expect.arrayContaining(['TRACE_BROKEN']) as unknown;
    expect(found).toMatchObject(
      ['STRICT', 'STANDARD'].map((profile) => ({ profile, status: 'INCOMPLETE', attempts: 1, codes: broken })),
    );
  }, 60_000);

  it('OBSERVE_ONLY: without its trace the run goes on to its end, and is INCOMPLETE', async () => {
    await mute('observe_only', 3);
    const handle = await start('OBSERVE_ONLY');

    expect(await handle.result()).toMatchObject({ phase: 'COMPLETED', outcome: 'succeeded', verdict: 'INCOMPLETE' });
    const found = await findingsOf(handle.workflowId);
    expect(found).toMatchObject({ status: 'INCOMPLETE', profile: 'OBSERVE_ONLY', attempts: 3 });
    expect(found?.codes).toContain('TRACE_BROKEN');
  }, 60_000);

  it('and heals: the step that waited goes on, and the whole trace is there', async () => {
    await mute('healed', 3);
    const handle = await start('STANDARD', { tenant: 'healed' });
    await rig.status(handle, ({ step }) => step >= 2);
    expect(await rig.status(handle, ({ step }) => step >= 2)).toMatchObject({ phase: 'EXECUTING', step: 2 });
    await rig.stack.admin.query('DELETE FROM public.mute');
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 60_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(19);
  }, 60_000);
});
