import { expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { repository } from './rig.js';

it('a reader of a pipe that begins late gets all that was written before the process ended', async () => {
  const module = JSON.stringify(pathToFileURL(join(repository, 'dist/cli/output/written.js')).href);
  const script = `const { written } = await import(${module});
    for (let n = 0; n < 1000; n += 1) process.stdout.write('x'.repeat(999) + '\\n');
    process.stderr.write(String(process.stdout.writableLength));
    await written(process.stdout); process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [unread] = (await once(child.stderr, 'data')) as [Buffer];
  // All is written, the pipe is full, and nobody has read.
  expect(Number(unread.toString())).toBeGreaterThan(0);
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(1_000_000);
});
