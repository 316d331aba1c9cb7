/** A write of which nobody heard whether it was done: an operator who looked says so, and the model is told just that. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { z } from 'zod';
import { uuidOf } from '../../src/domain/ids.js';
import type { Finding } from '../../src/domain/verdict.js';
import { defineSkill } from '../../src/execute/skills/skill.js';
import { resumeUpdate, type Resume } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const AGENTS = { paying: { turns: [turn([call('wire', {})]), turn([])], skills: ['wire'] } };
/** Goes wrong in a way of which nobody knows how far it came, and may not be repeated. */
const wire = defineSkill({
  name: 'wire',
  version: '1',
  description: 'sends money',
  input: z.object({}),
  access: 'write',
  idempotency: 'none',
  timeoutMs: 5_000,
  maxOutputBytes: 1_000,
  run: () => Promise.reject(new Error('cut off')),
});
const OLGA = { local: 'olga', roles: ['operator'] };

describe('a write whose fate is unknown', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-fate-'));
    rig = await createRig({ env: await deployAgents(folder, AGENTS), extensions: { skills: [wire] } });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const held = async () => {
    const spec = { tenant: 'acme', agent: 'paying', input: 'go', actor: { local: 'alice' } };
    const handle = await rig.start(`rok/acme/${randomUUID()}`, spec);
    await rig.status(handle, (status) => status.holds[0]?.reason === 'UNKNOWN_RESULT');
    return handle;
  };
  const told = (run: string) =>
    rig.stack.admin.query(
      `SELECT convert_from(bytes, 'UTF8') AS text FROM execute.contents WHERE run_id = $1 AND kind = 'told'`,
      [run],
    );

  it.each([
    ['done', 'it was done'],
    ['not_done', 'it was not done'],
  ] as const)(
    'is told to the model as who looked says: %s',
    async (was, text) => {
      const handle = await held();
      await handle.executeUpdate(resumeUpdate, { args: [{ actor: OLGA, was }], updateId: 'looked' });
      const { run, outcome } = await handle.result();
      expect(outcome).toBe('succeeded');
      expect(await told(uuidOf(run))).toEqual([
        { text: `unknown: nobody heard whether this was done; looked at by local:olga: ${text}` },
      ]);
      const acts = await rig.stack.admin.query(
        `SELECT verb, actor, was, allowed FROM decide.acts WHERE run_id = $1 AND verb = 'resume'`,
        [uuidOf(run)],
      );
      expect(acts).toEqual([{ verb: 'resume', actor: 'local:olga', was, allowed: true }]);
      const events = await rig.stack.admin.query(
        `SELECT convert_from(bytes, 'UTF8')::json -> 'body' AS body FROM observe.events
      WHERE run_id = $1 AND kind = 'actor.acted'`,
        [uuidOf(run)],
      );
      expect(events).toEqual([{ body: { verb: 'resume', actor: 'local:olga', hold: 1, was } }]);
      // Somebody looked, so the verdict notes it and blocks nothing.
      const [ruled] = await rig.stack.admin.query<{ findings: readonly Finding[] }>(
        'SELECT findings FROM audit.rejudge($1)',
        [uuidOf(run)],
      );
      expect(ruled?.findings.filter(({ code }) => code === 'UNKNOWN_RESULT')).toMatchObject([
        { blocking: false, detail: expect.stringMatching(new RegExp(`, answered ${was}$`)) },
      ]);
    },
    60_000,
  );

  it('goes on only when somebody says which', async () => {
    const handle = await held();
    const whyNot = async (resume: object): Promise<string> => {
      const error: unknown = await handle
        .executeUpdate(resumeUpdate, { args: [resume as Resume] })
        .catch((e: unknown) => e);
      return error instanceof WorkflowUpdateFailedError ? (error.cause?.message ?? '') : String(error);
    };
    expect(await whyNot({ actor: OLGA })).toContain('nobody knows whether the call was done');
    expect(await whyNot({ actor: OLGA, was: 'perhaps' })).toBe('`was` is `done` or `not_done`');
    expect(await whyNot({ actor: OLGA, was: 7 })).toBe('`was` is `done` or `not_done`');
    await handle.executeUpdate(resumeUpdate, { args: [{ actor: OLGA, was: 'not_done' }] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded' });
  }, 60_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(3);
  }, 60_000);
});
