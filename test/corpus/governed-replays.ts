/**
 * A deployment that replays recordings: agents, scripts and prices in a temporary folder, all three workers in this process
 * on the stack it is given. Only files, environment and one registered skill make it: nothing of ROK knows of recordings.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JSONWebKeySet } from 'jose';
import { parseConfig } from '../../src/platform/config/config.js';
import { ensureDevKeys } from '../../src/platform/local/dev-keys.js';
import { createLogger } from '../../src/platform/logging.js';
import { connectTemporal, temporalSettings } from '../../src/platform/temporal/temporal.js';
import { startWorkers } from '../../src/workers/start.js';
import type { governedRun } from '../../src/workflows/governed-run.js';
import type { RunResult } from '../../src/workflows/messages/messages.js';
import type { Stack } from '../stack/stack.js';
import { pricesFor, type Replay } from './replay.js';
import type { PriceRows } from './recording.js';
import { shellRun } from './shell-run.js';

export type GovernedReplays = {
  /** Public keys that receipts must verify with. */
  readonly receiptKeys: JSONWebKeySet;
  run(replay: Replay): Promise<RunResult>;
  stop(): Promise<void>;
};

const policies = fileURLToPath(new URL('../../policies', import.meta.url));

/** @param env on top of what the stack and the files need, such as a provider's address */
export async function startReplays(
  stack: Stack,
  replays: readonly Replay[],
  rows: PriceRows,
  env: Readonly<Record<string, string>> = {},
): Promise<GovernedReplays> {
  const folder = await mkdtemp(join(tmpdir(), 'rok-corpus-'));
  try {
    return await startIn(folder, stack, replays, { ...env, ...(await writeFiles(folder, replays, rows)) });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(
  folder: string,
  stack: Stack,
  replays: readonly Replay[],
  env: Readonly<Record<string, string>>,
): Promise<GovernedReplays> {
  const keys = await ensureDevKeys(join(folder, 'keys'));
  const parsed = parseConfig({
    GOVERNANCE_PROFILE: 'STANDARD',
    ROK_SIGNING_KEY: keys.signingKey,
    ...env,
    ...Object.fromEntries(
      Object.entries(stack.urls).map(([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url]),
    ),
  });
  if (!parsed.ok) throw parsed.error;
  const temporal = temporalSettings({ TEMPORAL_ADDRESS: stack.temporalAddress, TEMPORAL_NAMESPACE: stack.namespace });
  const byName = new Map(replays.map((replay) => [replay.id, replay]));
  const workers = await startWorkers(['control', 'execute', 'audit'], {
    config: parsed.value,
    temporal,
    log: createLogger({ level: 'error' }),
    extensions: { skills: [shellRun(stack.admin, byName)] },
  });
  const joined = await connectTemporal(temporal);
  return {
    receiptKeys: JSON.parse(await readFile(keys.receiptKeySet, 'utf8')) as JSONWebKeySet,
    run: ({ id, input }) =>
      joined.client.workflow.execute<typeof governedRun>('governedRun', {
        taskQueue: 'rok-control',
        workflowId: `rok/corpus/${id}`,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        args: [{ tenant: 'corpus', agent: id, id, input, actor: { local: 'corpus' } }],
      }),
    async stop() {
      await joined.close();
      await workers.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @returns the environment that names them */
async function writeFiles(
  folder: string,
  replays: readonly Replay[],
  rows: PriceRows,
): Promise<Readonly<Record<string, string>>> {
  const [agents, prices] = [join(folder, 'agents'), join(folder, 'prices.json')];
  await mkdir(join(agents, 'scripts'), { recursive: true });
  await cp(policies, join(folder, 'policies'), { recursive: true });
  for (const { id, agent, script } of replays) {
    await writeFile(join(agents, `${id}.yaml`), JSON.stringify(agent));
    await writeFile(join(agents, 'scripts', `${id}.jsonl`), script);
  }
  await writeFile(prices, JSON.stringify(pricesFor(replays, rows)));
  return { ROK_AGENTS: agents, ROK_PRICES: prices, ROK_POLICIES: join(folder, 'policies') };
}
