/** A real worker process, which a test may kill, stop and wake. Started from the sources, as `node src/worker.ts` would be. */
import { fileURLToPath } from 'node:url';
import { startProcess } from '../../src/platform/local/server-process.js';
import type { WorkerName } from '../../src/platform/config/variables.js';
import { bundlesFolder } from '../stack/bundles.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const loader = new URL('../stack/typescript-loader.mjs', import.meta.url).href;
const bundles = new URL('../stack/bundles.mjs', import.meta.url).href;
const READY_MS = 60_000;

export type WorkerProcess = {
  readonly pid: number;
  /** Everything it logged so far. */
  readonly lines: readonly string[];
  /** How it ended: `signal SIGKILL`. */
  readonly exited: Promise<string>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: alive to everyone who does not look closely. */
  freeze(): void;
  /** SIGCONT. */
  wake(): void;
};

/** Resolves when its workers are polling. @throws Error with its last lines when it ends before */
export async function startWorkerProcess(
  workers: readonly WorkerName[],
  env: NodeJS.ProcessEnv,
  script = 'src/worker.ts',
): Promise<WorkerProcess> {
  const lines: string[] = [];
  let ready: () => void = () => undefined;
  const started = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const child = await startProcess({
    command: process.execPath,
    args: ['--import', loader, '--import', bundles, script, '--workers', workers.join(','), '--sweep-ms', '1000'],
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TEST_BUNDLES: bundlesFolder(), ...env },
    log: (line) => {
      lines.push(line);
      if (line.includes('"workers started"')) ready();
    },
  });
  const worker: WorkerProcess = {
    pid: child.pid,
    lines,
    exited: child.exited,
    async kill() {
      if (!child.hasExited()) process.kill(child.pid, 'SIGKILL');
      await child.exited;
    },
    freeze() {
      process.kill(child.pid, 'SIGSTOP');
    },
    wake() {
      process.kill(child.pid, 'SIGCONT');
    },
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, READY_MS, `not ready within ${READY_MS} ms`);
  });
  const why = await Promise.race([started, child.exited, late]);
  clearTimeout(timer);
  if (typeof why === 'string') {
    await worker.kill();
    throw new Error(`worker ${workers.join(',')}: ${why}\n${lines.slice(-10).join('\n')}`);
  }
  return worker;
}
