import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { startPostgres } from '../../src/platform/local/postgres.js';
import { argumentsOf } from '../../src/platform/local/process-identity.js';
import { until } from '../faults/until.js';
import { temporaryFolder } from '../stack/servers.js';
import { watchersOf } from './watchers.js';

const loader = new URL('../stack/typescript-loader.mjs', import.meta.url).href;
const child = fileURLToPath(new URL('./holding-servers.ts', import.meta.url));

let folder: string;
let dataDir: string;

beforeEach(async () => {
  folder = await temporaryFolder('postgres');
  dataDir = join(folder, 'data');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function ask(url: string, text: string) {
  const database = await openDatabase(url, { applicationName: 'postgres test', max: 1 });
  try {
    return await database.query(text);
  } finally {
    await database.close();
  }
}

it('starts, keeps its rows over a stop, and leaves nothing running', async () => {
  const first = await startPostgres({ dataDir });
  await ask(first.adminUrl('postgres'), 'CREATE TABLE kept AS SELECT 7 AS n');
  await first.stop();
  expect(await argumentsOf(first.pid)).toEqual([]);
  const second = await startPostgres({ dataDir, settings: { fsync: 'off' } });
  try {
    expect(await ask(second.adminUrl('postgres'), "SELECT n, current_setting('fsync') AS fsync FROM kept")).toEqual([
      { n: 7, fsync: 'off' },
    ]);
    expect(new URL(second.adminUrl('postgres')).hostname).toBe('127.0.0.1');
  } finally {
    await second.stop();
  }
});

it('keeps a generated password that only its owner can read, and asks for it', async () => {
  const server = await startPostgres({ dataDir });
  try {
    const password = (await readFile(`${dataDir}.password`, 'utf8')).trim();
    expect((await stat(`${dataDir}.password`)).mode & 0o777).toBe(0o600);
    expect(new URL(server.adminUrl('postgres')).password).toBe(password);
    expect(password).toHaveLength(32);
    const wrong = server.adminUrl('postgres').replace(password, 'guess');
    await expect(ask(wrong, 'SELECT 1')).rejects.toThrow('refused the password');
  } finally {
    await server.stop();
  }
});

it('given its process is killed by kill -9, the server ends with it', async () => {
  const { pid, killed } = await holdAndKill();
  await killed;
  await until('the end of the server', async () => ((await argumentsOf(pid)).length === 0 ? true : null));
  await until('the end of its watcher', async () => ((await watchersOf(pid)).length === 0 ? true : null));
  const server = await startPostgres({ dataDir });
  expect(await watchersOf(server.pid)).toHaveLength(1);
  await server.stop();
  await until('the end of its watcher', async () => ((await watchersOf(server.pid)).length === 0 ? true : null));
});

it('given that its watcher was killed too, the next start ends the leftover and finds every row', async () => {
  const { pid, url, killed } = await holdAndKill(async (server) => {
    for (const watcher of await watchersOf(server)) process.kill(watcher, 'SIGKILL');
  });
  await killed;
  expect(await argumentsOf(pid)).toContain(dataDir);
  await ask(url, 'CREATE TABLE kept AS SELECT 7 AS n');
  const server = await startPostgres({ dataDir });
  try {
    expect(await ask(server.adminUrl('postgres'), 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    expect(await argumentsOf(pid)).toEqual([]);
  } finally {
    await server.stop();
  }
});

it('given the server was killed too, the next start recovers', async () => {
  const first = await startPostgres({ dataDir });
  await ask(first.adminUrl('postgres'), 'CREATE TABLE kept AS SELECT 7 AS n');
  process.kill(first.pid, 'SIGKILL');
  const second = await startPostgres({ dataDir });
  try {
    expect(await ask(second.adminUrl('postgres'), 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  } finally {
    await second.stop();
    await first.stop();
  }
});

it('given Ctrl-C to the whole process group, the server is not in it', async () => {
  const server = await startPostgres({ dataDir });
  try {
    const group = (await readFile(`/proc/${server.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[2];
    expect(Number(group)).toBe(server.pid);
  } finally {
    await server.stop();
  }
});

it('leaves the exit code and the signals of its process alone', async () => {
  const { code } = await hold('exit-5').ended;
  expect(code).toBe(5);
});

(process.getuid?.() === 0 ? it : it.skip)('given a folder that user postgres cannot enter, says which', async () => {
  const closed = join(folder, 'closed');
  await mkdir(closed);
  await chmod(closed, 0o700);
  await expect(startPostgres({ dataDir: join(closed, 'data') })).rejects.toMatchObject({
    code: 'local_folder_closed',
    exitCode: 1,
    message: expect.stringContaining(`user \`postgres\` cannot enter \`${closed}\``),
  });
});

function hold(mode: 'wait' | 'exit-5') {
  const holder = spawn(process.execPath, ['--import', loader, child, 'postgres', dataDir, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit').then(([code]) => ({ code: code as number | null }));
  return { holder, ended };
}

async function holdAndKill(before: (server: number) => Promise<void> = () => Promise.resolve()) {
  const { holder, ended } = hold('wait');
  const [line] = (await once(createInterface({ input: holder.stdout }), 'line')) as [string];
  const held = JSON.parse(line) as { pid: number; url: string };
  await before(held.pid);
  holder.kill('SIGKILL');
  return { ...held, killed: ended };
}
