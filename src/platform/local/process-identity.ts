/**
 * Whether a recorded process id still names the same process, since systems reuse ids. Compares what the system says
 * about the process: on Linux /proc, elsewhere `ps`.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const hasProc = process.platform === 'linux';

/** Its command line; nothing when it is gone or only waits to be reaped. */
export async function argumentsOf(pid: number): Promise<readonly string[]> {
  if (hasProc) return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0').filter(Boolean);
  const { stdout } = await run('ps', ['-o', 'command=', '-p', `${pid}`]).catch(() => ({ stdout: '' }));
  return stdout.trim().split(/\s+/).filter(Boolean);
}

/** When it started, in the system's own words: the same id at another time is another process. */
export async function startOf(pid: number): Promise<string | undefined> {
  if (!hasProc) {
    const { stdout } = await run('ps', ['-o', 'lstart=', '-p', `${pid}`]).catch(() => ({ stdout: '' }));
    return stdout.trim() || undefined;
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may hold spaces; the fields after it are counted from 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[22 - 3];
}

/** Signals it and waits until it is gone; after the patience, by SIGKILL. */
export async function endProcess(pid: number, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  const start = await startOf(pid);
  if (start === undefined) return;
  send(pid, signal);
  const deadline = Date.now() + patienceMs;
  while ((await startOf(pid)) === start) {
    if (Date.now() > deadline) send(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
