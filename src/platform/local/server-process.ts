/**
 * A server that this process starts, reads and ends. Deliberately in a process group of its own: Ctrl-C on a terminal goes
 * to the whole group, and the servers must outlive the workers that drain on them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { watchOver } from './watcher.js';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly log: (line: string) => void;
}

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it has exited, with what there is to say about it. */
  readonly exited: Promise<string>;
  hasExited(): boolean;
  /** The last lines it wrote. */
  lastLines(): readonly string[];
  /** Signals it, waits for its exit, and kills it after the patience. */
  stop(signal: NodeJS.Signals, patienceMs: number): Promise<void>;
}

const keptLines = 40;

export async function startProcess({ command, args, log, ...options }: ServerCommand): Promise<ServerProcess> {
  const child = spawn(command, [...args], { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const pid = await spawned(child);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      log(line);
    });
  }
  // Whatever way this process ends, the server is told: by itself, and after kill -9 by the watcher.
  const unwatch = watchOver(pid);
  const onExit = (): void => {
    child.kill('SIGINT');
  };
  process.once('exit', onExit);
  let ended = false;
  const exited = new Promise<string>((resolve) => {
    // "close" comes after the last line was read, "exit" may not.
    child.once('close', (code, signal) => {
      ended = true;
      unwatch();
      process.removeListener('exit', onExit);
      resolve(signal === null ? `exit code ${code ?? 0}` : `signal ${signal}`);
    });
  });
  return {
    pid,
    exited,
    hasExited: () => ended,
    lastLines: () => lines,
    async stop(signal, patienceMs) {
      if (ended) return;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

async function spawned(child: ChildProcess): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  if (child.pid === undefined) throw new Error(`\`${child.spawnfile}\` has no process id`);
  return child.pid;
}
