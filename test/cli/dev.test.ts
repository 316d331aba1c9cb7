import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../faults/until.js';
import { temporaryFolder } from '../stack/servers.js';
import { repository, rok } from './rig.js';

type Line = Readonly<Record<string, unknown>>;
type Dev = {
  readonly child: ChildProcess;
  readonly lines: Line[];
  until(test: (line: Line) => boolean): Promise<Line>;
  exit(): Promise<number | null>;
};

let data: string;
const running: ChildProcess[] = [];
beforeAll(async () => {
  data = await temporaryFolder('dev');
});
afterAll(async () => {
  for (const child of running) child.kill('SIGTERM');
  await rm(data, { recursive: true, force: true });
});

function dev(...args: readonly string[]): Dev {
  const loader = pathToFileURL(join(repository, 'test/stack/typescript-loader.mjs')).href;
  const child = spawn(
    process.execPath,
    ['--import', loader, 'src/cli/main.ts', 'dev', '--json', '--data', data, ...args],
    {
      cwd: repository,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ROK_TEMPORAL_CLI: process.env['ROK_TEMPORAL_CLI'] },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  running.push(child);
  const lines: Line[] = [];
  const waiting: (() => void)[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line) as Line);
    for (const wake of waiting.splice(0)) wake();
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    lines,
    async until(test) {
      for (;;) {
        const found = lines.find(test);
        if (found !== undefined) return found;
        await Promise.race([
          new Promise<void>((resolve) => waiting.push(resolve)),
          exited.then((code) => {
            throw new Error(`ended with ${code ?? 'a signal'} before`);
          }),
        ]);
      }
    },
    exit: () => exited,
  };
}

const isSummary = (line: Line): boolean => 'receipt_verified' in line;
const expected = {
  phase: 'COMPLETED',
  outcome: 'succeeded',
  verdict: 'COMPLETE',
  receipt_verified: true,
  decisions: { allow: 13, deny: 1, pause: 1 },
  refused_calls: 1,
  attempts: 11,
  spend_micros: '1152',
  refunds_done: ['A-1001: 12.00, small enough for the desk', 'A-1002: 490.00, approved by finance'],
  refunds_not_done: ['A-1003: 2500.00, forbidden by policy'],
};

async function workersOf(dev_: number): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args=']);
  return stdout.split('\n').flatMap((line) => {
    const [pid, ppid] = line.trim().split(/\s+/).map(Number);
    return ppid === dev_ && line.includes('dev-workers') && pid !== undefined ? [pid] : [];
  });
}

describe('rok dev', () => {
  it('brings everything, plays the scenario, is found by other commands, and stops cleanly; after kill -9 the next start recovers', async () => {
    const first = dev();
    expect(await first.until(isSummary)).toMatchObject(expected);
    for (const key of ['assertion.json', 'receipt.json'])
      expect((await stat(join(data, 'keys', key))).mode & 0o777).toBe(0o600);
    const list = await rok(['run', 'list', '--json', '--data', data], {});
    expect(JSON.parse(list.out)).toMatchObject({ agent: 'refund-desk', verdict: 'COMPLETE' });
    const second = dev('--once');
    expect(await second.exit()).toBe(1);

    // Its workers die: they are started again, and said so; servers and terminal live on.
    const [workers] = await workersOf(first.child.pid ?? 0);
    process.kill(workers ?? 0, 'SIGKILL');
    const again = ['--tenant', 'again', '--data', data];
    const started = await rok(['run', 'start', 'refund-desk', '--input', 'go', '--as', 'alice', ...again], {});
    expect(started).toMatchObject({ code: 0 });
    await until(
      'a run that the new workers opened',
      async () => ((await rok(['run', 'list', '--json', ...again], {})).out === '' ? null : true),
      120_000,
    );
    expect(await workersOf(first.child.pid ?? 0)).not.toContain(workers);
    const log = await readFile(join(data, 'dev.log'), 'utf8');
    expect(log).toContain('workers ended (signal SIGKILL); started again in 0.5 s');
    first.child.kill('SIGINT');
    expect(await first.exit()).toBe(0);
    expect(await rok(['run', 'list', '--data', data], {})).toMatchObject({ code: 1 });

    const killed = dev();
    await killed.until((line) => line['event'] === 'hold');
    killed.child.kill('SIGKILL');
    await killed.exit();
    const last = dev('--once');
    expect(await last.exit()).toBe(0);
    expect(last.lines.at(-1)).toMatchObject(expected);
  }, 480_000);
});
