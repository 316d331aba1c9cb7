import { expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { repository } from './rig.js';

it('a reader of a pipe that begins late gets all that was written before the process ended', async () => {
  const module = JSON.stringify(pathToFileURL(join(repository, 'dist/cli/written.js')).href);
  const script = `const { written } = await import(${module});
    for (let n = 0; n < 1000; n += 1) process.stdout.write('x'.repeat(999) + '\\n');
    await written(process.stdout); process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // The pipe is full long before: there is nothing else to await.
  await sleep(300);
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(1_000_000);
});
