/** A start that comes again is the first one's repeat, or refused: as login rok_decide compares them. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet } from 'jose';
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClaimVerifier } from '../../src/decide/actors/access.js';
import { administer } from '../../src/decide/actors/administer.js';
import type { DecideDeps } from '../../src/decide/deps.js';
import { uuidOf } from '../../src/domain/ids.js';
import type { Administered } from '../../src/domain/protocol/administer.js';
import { temporaryFolder } from '../stack/servers.js';
import { createAssertions, type Assertions } from '../workflows/signing.js';
import { createStepRig, type StepRig } from './step-rig.js';

let rig: StepRig;
let folder: string;
let assertions: Assertions;
let deps: DecideDeps;
beforeAll(async () => {
  rig = await createStepRig();
  folder = await temporaryFolder('repeats');
  assertions = await createAssertions(join(folder, 'keys.json'));
  const keys = JSON.parse(await readFile(assertions.keySet, 'utf8')) as Parameters<typeof createLocalJWKSet>[0];
  deps = { ...rig.deps, verifyClaim: createClaimVerifier(createLocalJWKSet(keys)) };
});
afterAll(async () => {
  await rig.close();
  await rm(folder, { recursive: true, force: true });
});

const SPEC = {
  tenant: 'acme',
  agent: 'clerk',
  input: { ticket: 7, text: 'please' },
  actor: { local: 'alice' },
  limits: { steps: 5 },
  labels: { goal: 'refund' },
};
const fresh = () => {
  const id = randomUUID();
  return { id, workflowId: `rok/acme/${id}`, caller: { workflowId: `rok/acme/${id}`, temporalRunId: randomUUID() } };
};
const compare = (workflowId: string, spec: object): Promise<Administered> =>
  rig.as((sql) => administer(sql, deps, `rok-admin/${randomUUID()}`, { ask: 'same', workflowId, spec }));

describe('a start under an id that is taken', () => {
  it('is a repeat when all is the same, however its members are ordered and its name is written', async () => {
    const { id, workflowId, caller } = fresh();
    const { opened } = await rig.open({ ...SPEC, id }, caller, deps);
    const { run } = opened;
    const other = { labels: { goal: 'refund' }, limits: { steps: 5 }, actor: { local: ' Alice', roles: ['x'] } };
    expect(await compare(workflowId, { ...SPEC, id })).toEqual({ ask: 'same', result: 'same', run });
    expect(
      await compare(workflowId, { ...other, input: { text: 'please', ticket: 7 }, id, agent: 'clerk', tenant: 'acme' }),
    ).toEqual({ ask: 'same', result: 'same', run });
  });

  it.each<[string, object]>([
    ['agent', { agent: 'other' }],
    ['input', { input: { ticket: 8, text: 'please' } }],
    ['limits', { limits: { steps: 6 } }],
    ['limits', { limits: {} }],
    ['labels', { labels: undefined }],
    ['profile', { profile: 'STRICT' }],
    ['deadline', { deadline: '2031-01-01T00:00:00Z' }],
  ])('is refused for another %s, which is named to who asked first', async (field, over) => {
    const { id, workflowId, caller } = fresh();
    const { run } = (await rig.open({ ...SPEC, id }, caller, deps)).opened;
    expect(await compare(workflowId, { ...SPEC, id, ...over })).toEqual({
      ask: 'same',
      result: 'another',
      run,
      fields: [field],
    });
  });

  it('of another person is refused, and tells it nothing of the rest', async () => {
    const { id, workflowId, caller } = fresh();
    const { run } = (await rig.open({ ...SPEC, id }, caller, deps)).opened;
    const eve = { ...SPEC, id, actor: { local: 'eve' } };
    const another = { ask: 'same', result: 'another', run, fields: ['person'] };
    expect(await compare(workflowId, eve)).toEqual(another);
    expect(await compare(workflowId, { ...eve, input: 'a guess' })).toEqual(another);
    const signed = await assertions.claim({ workflow: workflowId, verb: 'start', sub: 'alice' });
    expect(await compare(workflowId, { ...SPEC, id, actor: signed })).toEqual(another);
  });

  it('with the very assertion of the first, or a new one of the same person, is a repeat; with one for something else not', async () => {
    const { id, workflowId, caller } = fresh();
    const claim = (sub: string, workflow = workflowId) => assertions.claim({ workflow, verb: 'start', sub });
    const first = await claim('alice');
    const { run } = (await rig.open({ ...SPEC, id, actor: first }, caller, deps)).opened;
    const same = { ask: 'same', result: 'same', run };
    expect(await compare(workflowId, { ...SPEC, id, actor: first })).toEqual(same);
    expect(await compare(workflowId, { ...SPEC, id, actor: await claim('alice') })).toEqual(same);
    expect(await compare(workflowId, { ...SPEC, id, actor: await claim('Alice') })).toMatchObject({
      fields: ['person'],
    });
    expect(await compare(workflowId, { ...SPEC, id, actor: await claim('alice', 'rok/acme/x') })).toMatchObject({
      result: 'refused',
    });
  });

  it('is not known to be the same once the secret is erased, nor when nobody opened it', async () => {
    const { id, workflowId, caller } = fresh();
    expect(await compare(workflowId, { ...SPEC, id })).toEqual({ ask: 'same', result: 'unopened' });
    const { run } = (await rig.open({ ...SPEC, id }, caller, deps)).opened;
    await expect(
      rig.stack.admin.query(`UPDATE decide.requests SET nonce = repeat('0', 64) WHERE run_id = $1`, [uuidOf(run)]),
    ).rejects.toMatchObject({ code: '55000' });
    await rig.stack.admin.query('UPDATE decide.requests SET nonce = NULL, field_digests = NULL WHERE run_id = $1', [
      uuidOf(run),
    ]);
    expect(await compare(workflowId, { ...SPEC, id })).toEqual({ ask: 'same', result: 'another', run, fields: [] });
  });
});

describe('an execution for a run that Temporal has forgotten', () => {
  it('is refused as a copy when it asks for the same, as a conflict when it asks for something else', async () => {
    const { id, caller } = fresh();
    const { run } = (await rig.open({ ...SPEC, id }, caller, deps)).opened;
    const again = { ...caller, temporalRunId: randomUUID() };
    await expect(rig.open({ ...SPEC, id }, again, deps)).rejects.toMatchObject({ code: 'not_this_history' });
    await expect(rig.open({ ...SPEC, id, input: 'other' }, again, deps)).rejects.toMatchObject({
      code: 'id_conflict',
      message: `the id belongs to run \`${run}\`, which was asked for with another input`,
    });
    const elsewhere = { workflowId: 'mine', temporalRunId: randomUUID() };
    await expect(rig.open({ ...SPEC, id, input: 'other' }, elsewhere, deps)).rejects.toMatchObject({
      code: 'id_conflict',
    });
  });
});

describe('what is stored of a spec', () => {
  it('does not let who reads it try out inputs: the same spec has other digests in another run', async () => {
    const digests = await Promise.all(
      [fresh(), fresh()].map(async ({ caller }) => {
        const { opened } = await rig.open(SPEC, caller, deps);
        const [row] = await rig.stack.admin.query<{ spec_digest: string; request_digest: string }>(
          'SELECT spec_digest, request_digest FROM decide.runs WHERE run_id = $1',
          [uuidOf(opened.run)],
        );
        return [row?.spec_digest, row?.request_digest];
      }),
    );
    expect(new Set(digests.flat()).size).toBe(4);
    await expect(rig.execute.query('SELECT nonce FROM decide.requests')).rejects.toMatchObject({ code: '42501' });
  });
});
