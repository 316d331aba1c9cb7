/**
 * The skill of the recorded agent. It runs nothing: at the step where the record has an observation it gives that back, and
 * only for the very command that was recorded there.
 */
import { z } from 'zod';
import { RokError } from '../../src/domain/errors.js';
import { uuidOf } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import { defineSkill, type Skill } from '../../src/execute/skills/skill.js';
import { MAX_OUTPUT_BYTES, SKILL, type Replay } from './replay.js';

/** @param admin reads which recording a run replays: the agent's name */
export function shellRun(admin: Sql, replays: ReadonlyMap<string, Replay>): Skill {
  const agents = new Map<string, string>();
  const agentOf = async (run: string): Promise<string> => {
    const [row] = await admin.query<{ agent: string }>('SELECT agent FROM decide.runs WHERE run_id = $1', [run]);
    agents.set(run, row?.agent ?? '');
    return row?.agent ?? '';
  };
  return defineSkill({
    name: SKILL,
    version: '1',
    description: 'Runs one shell command in the repository and returns its exit code and output.',
    input: z.strictObject({ command: z.string().min(1) }),
    access: 'write',
    idempotency: 'keyed',
    timeoutMs: 30_000,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    async run({ command }, { run, idempotencyKey }) {
      const uuid = uuidOf(run);
      const replay = replays.get(agents.get(uuid) ?? (await agentOf(uuid)));
      const step = Number(idempotencyKey.split('/')[1]);
      const observed = replay?.observed.get(step);
      if (observed?.command !== command)
        throw new RokError('skill_failed', `the record has another command at step ${step}, or none`);
      return observed.observation;
    },
  });
}
