/**
 * Ends a server when the process that started it is gone, after kill -9 too: a small shell reads from a pipe to which
 * nobody writes, and the pipe closes when the starter ends. So no process id is polled that may belong to another by
 * then. It must be a process, because nothing inside a process survives its own kill -9. Windows has no such shell;
 * there the next start ends what was left.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/** What its processes are called, for whoever lists them. */
export const WATCHER = 'rok-watcher';

/** $1: whom to end. Asked politely, then, after 20 s, not. A process that nobody reaps stays in the list: it is not waited for. */
const SCRIPT = `cat >/dev/null
kill -INT "$1" 2>/dev/null || exit 0
n=0
while [ $n -lt 110 ] && kill -0 "$1" 2>/dev/null; do
  n=$((n + 1))
  [ $n -eq 100 ] && kill -KILL "$1"
  sleep 0.2
done`;

/** @returns ends the watching; call it when the watched process has exited, whose id may soon be another's */
export function watchOver(pid: number): () => void {
  if (process.platform === 'win32') return () => undefined;
  // A group of its own: Ctrl-C on a terminal is not meant for it. Of the environment it needs nothing but where programs are.
  const watcher = spawn('/bin/sh', ['-c', SCRIPT, WATCHER, `${pid}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env['PATH'] },
  });
  // Where there is no shell the server is ended as before: at the exit of this process, or at the next start.
  watcher.on('error', () => undefined);
  watcher.unref();
  watcher.stdin.on('error', () => undefined);
  if (watcher.stdin instanceof Socket) watcher.stdin.unref();
  return () => {
    watcher.kill('SIGKILL');
  };
}
