import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { uuidOf } from '../../src/domain/ids.js';
import type { RunResult } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';

const FIVE_MISTAKES = {
  tenant: 'acme',
  agent: '../etc',
  actor: 'alice',
  limits: { usdMicros: '-1' },
  deadline: 'tomorrow',
  profile: 'LAX',
  input: 'Please handle the refunds.',
};
const UNKNOWN_AGENT = { tenant: 'acme', agent: 'nobody', actor: { local: 'alice' }, input: 'Anything?' };

/** A run that was never authorised, with all that it still leaves behind. */
async function endOf(rig: Rig, workflowId: string, spec: unknown) {
  const handle = await rig.start(workflowId, spec);
  const result = await handle.result();
  const read = (sql: string) => rig.stack.admin.query(sql, [uuidOf(result.run)]);
  return {
    result,
    decisions: await read('SELECT kind, effect FROM decide.decisions WHERE run_id = $1 ORDER BY step'),
    trace: await read('SELECT kind FROM observe.events WHERE run_id = $1 ORDER BY seq'),
    incidents: await read('SELECT outcome FROM execute.incident_occurrences WHERE run_id = $1'),
    verdicts: await read('SELECT revision, status, findings FROM audit.verdicts WHERE run_id = $1'),
  };
}
const denied = (detail: string): RunResult => ({
  run: expect.stringMatching(/^run_/) as unknown as RunResult['run'],
  phase: 'FAILED',
  outcome: 'denied',
  detail,
  verdict: 'COMPLETE',
  receipt: expect.any(Number) as unknown as number,
  decisions: { allow: 1, deny: 1, pause: 0 },
  refusedCalls: 0,
  attempts: 0,
  spentMicros: '0',
  traceEvents: 3,
  answer: null,
});
const leftBehind = {
  decisions: [
    { kind: 'run.start', effect: 'deny' },
    { kind: 'run.outcome', effect: 'allow' },
  ],
  trace: [{ kind: 'run.created' }, { kind: 'step.decided' }, { kind: 'run.closing' }],
  incidents: [{ outcome: 'denied' }],
  verdicts: [{ revision: 1, status: 'COMPLETE', findings: [] }],
};

describe('a run that cannot be authorised', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig();
  }, 60_000);
  afterAll(() => rig.close());

  it('names all five mistakes of a spec, and ends at once with trace, incident and verdict', async () => {
    expect(await endOf(rig, 'rok/acme/five', FIVE_MISTAKES)).toEqual({
      result: denied(
        [
          'agent: agent must start with a letter or digit and hold only letters, digits, `.`, `_` and `-`',
          'actor: actor must be { assertion } or { local, roles? }',
          'limits.usdMicros: limits.usdMicros must be a decimal string of whole micro-USD',
          'deadline: deadline must be an RFC 3339 time',
          'profile: profile must be one of STRICT, STANDARD, OBSERVE_ONLY',
        ].join('; '),
      ),
      ...leftBehind,
    });
  });

  it('names an agent that nobody configured, and ends at once with trace, incident and verdict', async () => {
    expect(await endOf(rig, 'rok/acme/nobody', UNKNOWN_AGENT)).toEqual({
      result: denied('no agent `nobody` is configured'),
      ...leftBehind,
    });
  });
});
