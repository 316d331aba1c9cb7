import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { freePorts } from '../../src/platform/local/free-port.js';
import { argumentsOf } from '../../src/platform/local/process-identity.js';
import { findTemporalCli } from '../../src/platform/local/temporal-cli.js';
import { startTemporal } from '../../src/platform/local/temporal-server.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { ensureSearchAttributes, missingSearchAttributes } from '../../src/platform/temporal/search-attributes.js';
import { connectTemporalNative } from '../../src/platform/temporal/temporal-worker.js';
import { connectTemporal, temporalSettings, type TemporalClient } from '../../src/platform/temporal/temporal.js';
import { startWorkers } from '../../src/workers/start.js';
import { rok } from '../cli/rig.js';
import { createStack } from '../stack/stack.js';
import { until } from '../faults/until.js';
import { temporalCli, temporaryFolder } from '../stack/servers.js';
import { readStackFile } from '../stack/stack-file.js';
import { watchersOf } from './watchers.js';

const loader = new URL('../stack/typescript-loader.mjs', import.meta.url).href;
const child = fileURLToPath(new URL('./holding-servers.ts', import.meta.url));

let folder: string;
let dbFile: string;

beforeEach(async () => {
  folder = await temporaryFolder('temporal');
  dbFile = join(folder, 'temporal.db');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function settingsFor(address: string, namespace: string) {
  return temporalSettings({
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    TEMPORAL_CONFIG_FILE: join(folder, 'none.toml'),
  });
}

async function withClient<T>(
  address: string,
  namespace: string,
  work: (temporal: TemporalClient) => Promise<T>,
): Promise<T> {
  const temporal = await connectTemporal(settingsFor(address, namespace));
  try {
    return await work(temporal);
  } finally {
    await temporal.close();
  }
}

const startOne = ({ client }: TemporalClient) =>
  client.workflow.start('nobodyRunsIt', { taskQueue: 'none', workflowId: 'kept' });
const statusOfOne = async ({ client }: TemporalClient) =>
  (await client.workflow.getHandle('kept').describe()).status.name;

it('starts with its namespaces, search attributes and Web UI, keeps its runs over a stop, and ends', async () => {
  const cli = await temporalCli();
  const first = await startTemporal({ cli, dbFile, namespaces: ['kept'] });
  expect(
    await withClient(first.address, 'kept', ({ connection }) => missingSearchAttributes(connection, 'kept')),
  ).toEqual([]);
  await withClient(first.address, 'kept', startOne);
  const page = await fetch(first.uiUrl);
  expect(page.status).toBe(200);
  await first.stop();
  expect(await argumentsOf(first.pid)).toEqual([]);
  const second = await startTemporal({ cli, dbFile, namespaces: ['kept', 'new'] });
  try {
    expect(await withClient(second.address, 'kept', statusOfOne)).toBe('RUNNING');
    expect(
      await withClient(second.address, 'new', ({ connection }) => missingSearchAttributes(connection, 'new')),
    ).toEqual([]);
  } finally {
    await second.stop();
  }
});

it.each([
  ['the server ends with it, and the next start on the file finds the runs', false],
  ['and so was its watcher, the next start on the file ends the leftover and finds the runs', true],
])('given its process was killed by kill -9, %s', async (_, alone) => {
  const holder = spawn(process.execPath, ['--import', loader, child, 'temporal', dbFile, 'wait'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: holder.stdout }), 'line')) as [string];
  const { pid, url } = JSON.parse(line) as { pid: number; url: string };
  await withClient(url, 'kept', startOne);
  if (alone) for (const watcher of await watchersOf(pid)) process.kill(watcher, 'SIGKILL');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  if (!alone) await until('the end of the server', async () => ((await argumentsOf(pid)).length === 0 ? true : null));
  const server = await startTemporal({ cli: await temporalCli(), dbFile, namespaces: ['kept'] });
  try {
    expect(await withClient(server.address, 'kept', statusOfOne)).toBe('RUNNING');
    expect(await argumentsOf(pid)).toEqual([]);
  } finally {
    await server.stop();
  }
});

it('given a server without them, a control worker says which and the command, and `rok migrate --temporal` registers them', async () => {
  const server = await startTemporal({ cli: await temporalCli(), dbFile, searchAttributes: {}, namespaces: ['bare'] });
  const stack = await createStack();
  try {
    const env = {
      TEMPORAL_ADDRESS: server.address,
      TEMPORAL_NAMESPACE: 'bare',
      ROK_DATABASE_URL: stack.adminUrl,
      GOVERNANCE_PROFILE: 'STANDARD',
    };
    const setup = {
      config: loadConfig(env),
      temporal: settingsFor(server.address, 'bare'),
      log: createLogger({ level: 'silent' }),
    };
    await expect(startWorkers(['control'], setup)).rejects.toMatchObject({
      code: 'search_attributes_missing',
      exitCode: 9,
      message: expect.stringContaining('lacks the search attributes RokTenant, RokAgent, RokPhase,'),
      hint: expect.stringContaining(
        'run `rok migrate --temporal`, or `temporal operator search-attribute create --namespace bare --name RokTenant --type Keyword',
      ),
    });
    const first = await rok(['migrate', '--temporal', '--json'], env);
    expect({ code: first.code, said: JSON.parse(first.out) as unknown }).toMatchObject({
      code: 0,
      said: { migrated: [], registered: expect.arrayContaining(['RokTenant', 'RokHold', 'RokSpendMicros']) },
    });
    expect(await rok(['migrate', '--temporal'], env)).toMatchObject({
      code: 0,
      out: 'nothing to do\nsearch attributes: all were registered\n',
    });
    const worker = await startWorkers(['control'], setup);
    await worker.stop();
  } finally {
    await stack.drop();
    await server.stop();
  }
}, 120_000);

it('given a server without them, registers the search attributes, for several callers at once', async () => {
  const server = await startTemporal({ cli: await temporalCli(), dbFile, searchAttributes: {}, namespaces: ['bare'] });
  try {
    await withClient(server.address, 'bare', async ({ connection }) => {
      expect(await missingSearchAttributes(connection, 'bare')).toHaveLength(8);
      await Promise.all([1, 2, 3].map(() => ensureSearchAttributes(connection, 'bare')));
      expect(await missingSearchAttributes(connection, 'bare')).toEqual([]);
    });
  } finally {
    await server.stop();
  }
});

describe('a Temporal that cannot be used', () => {
  it('given no server, client and worker say which, where and what to do, exit 9', async () => {
    const [port] = await freePorts(1);
    const settings = settingsFor(`127.0.0.1:${port ?? 0}`, 'default');
    const refusals = await Promise.allSettled([connectTemporal(settings), connectTemporalNative(settings)]);
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        status: 'rejected',
        reason: {
          code: 'temporal_unreachable',
          exitCode: 9,
          message: `Temporal at \`127.0.0.1:${port ?? 0}\` cannot be reached`,
          hint: 'start it, or set `TEMPORAL_ADDRESS` to where it runs; `npm start` brings one of its own',
        },
      });
    }
  });

  it('given a namespace that is not there, says so, exit 9', async () => {
    const { temporalAddress } = await readStackFile();
    await expect(connectTemporal(settingsFor(temporalAddress, 'nowhere'))).rejects.toMatchObject({
      code: 'temporal_namespace_missing',
      exitCode: 9,
      message: `Temporal at \`${temporalAddress}\` has no namespace \`nowhere\``,
    });
  });

  it('given no CLI where the environment says, names the variable, and tries nothing else', async () => {
    const search = { given: join(folder, 'nothing'), path: process.env['PATH'] ?? '', folder };
    await expect(findTemporalCli(search)).rejects.toMatchObject({
      code: 'temporal_cli_missing',
      message: `\`ROK_TEMPORAL_CLI\` is \`${join(folder, 'nothing')}\`, which cannot be run`,
    });
    await expect(findTemporalCli({ path: '', folder })).rejects.toThrow('no Temporal CLI on PATH or in');
  });
});
