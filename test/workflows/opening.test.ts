/** How a run's first context comes to be: brought by the first call, or prepared where nobody had counted what the agent brings. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { recordIfAsked } from '../histories/recording.js';
import type { WorkflowHandle } from '@temporalio/client';
import { parseConfig } from '../../src/platform/config/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { startWorkers } from '../../src/workers/start.js';
import { agentsWith, createRig, type Rig } from './rig.js';

/** Of a free model that the shipped prices know. */
const GREETER = {
  name: 'hello',
  script: { content: 'Hello.', usage: { inputTokens: 9, outputTokens: 2 } },
};

let rig: Rig;
let agents: string;
beforeAll(async () => {
  agents = await agentsWith(GREETER);
  rig = await createRig({ workers: ['control', 'audit'], env: { ROK_AGENTS: agents } });
}, 60_000);
afterAll(() => rig.close());

const spec = { tenant: 'acme', agent: GREETER.name, input: 'Say hello.', actor: { local: 'alice' } };

async function activitiesOf(handle: WorkflowHandle): Promise<readonly string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
}

async function startExecute() {
  const urls = Object.entries(rig.stack.urls).map(([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url]);
  const parsed = parseConfig({
    GOVERNANCE_PROFILE: 'STANDARD',
    ROK_AGENTS: agents,
    ...(Object.fromEntries(urls) as NodeJS.ProcessEnv),
  });
  if (!parsed.ok) throw parsed.error;
  const temporal = temporalSettings({
    TEMPORAL_ADDRESS: rig.stack.temporalAddress,
    TEMPORAL_NAMESPACE: rig.stack.namespace,
  });
  return startWorkers(['execute'], { config: parsed.value, temporal, log: createLogger({ level: 'error' }) });
}

it('a run opened before any execute worker came is prepared, the next brings its input with its first call', async () => {
  const early = await rig.start('rok/acme/early', spec);
  await rig.status(early, ({ phase }) => phase === 'AUTHORIZED');
  const execute = await startExecute();
  try {
    await expect(early.result()).resolves.toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await activitiesOf(early)).toEqual(['execute.prepare', 'execute.step', 'execute.close_out', 'audit.close']);
    await recordIfAsked('prepared', early);

    const next = await rig.start('rok/acme/next', spec);
    await expect(next.result()).resolves.toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await activitiesOf(next)).toEqual(['execute.step', 'execute.close_out', 'audit.close']);
  } finally {
    await execute.stop();
  }
  expect(
    await rig.stack.admin.query(
      `SELECT r.workflow_id, d.context_digest = o.digest AS committed, (s.body::jsonb ->> 'inputTokens')::int = o.token_count AS bounded,
         c.opening, c.token_count <= o.token_count AS within
       FROM decide.runs r JOIN decide.decisions d ON d.run_id = r.run_id AND d.kind = 'model.call'
       JOIN decide.snapshots s ON s.run_id = d.run_id AND s.digest = d.snapshot_digest
       JOIN execute.contexts c ON c.run_id = d.run_id AND c.digest = d.context_digest
       LEFT JOIN decide.openings o ON o.run_id = r.run_id ORDER BY r.workflow_id`,
    ),
  ).toEqual([
    { workflow_id: 'rok/acme/early', committed: null, bounded: null, opening: false, within: null },
    { workflow_id: 'rok/acme/next', committed: true, bounded: true, opening: true, within: true },
  ]);
  await expect(rig.replayAll()).resolves.toBe(2);
}, 60_000);
