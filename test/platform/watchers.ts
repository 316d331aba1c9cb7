/** Which processes watch over a server, by what the system says they are. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { WATCHER } from '../../src/platform/local/watcher.js';

const run = promisify(execFile);

export async function watchersOf(pid: number): Promise<readonly number[]> {
  const { stdout } = await run('ps', ['-A', '-ww', '-o', 'pid=,args=']);
  return stdout
    .split('\n')
    .filter((line) => line.trimEnd().endsWith(`${WATCHER} ${pid}`))
    .map((line) => Number.parseInt(line, 10));
}
