import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { lockFolder } from '../../src/platform/local/folder-lock.js';
import { temporaryFolder } from '../stack/servers.js';

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder('lock');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it('given eight at once, lets one in and tells the others who it is', async () => {
  const tried = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  const refused = tried.filter((attempt) => attempt.status === 'rejected');
  expect(refused).toHaveLength(7);
  expect(refused[0]?.reason).toMatchObject({
    code: 'local_busy',
    exitCode: 1,
    message: `\`${folder}\` is used by another ROK (process ${process.pid})`,
  });
});

it('given a release, lets the next one in', async () => {
  await (await lockFolder(folder)).release();
  await (await lockFolder(folder)).release();
});

it('given a holder that was killed, even when its process id is used again, lets one of the next ones in', async () => {
  await writeFile(join(folder, 'lock'), `${process.pid} 12345 someone-before-us\n`);
  const tried = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  expect(tried.filter((attempt) => attempt.status === 'fulfilled')).toHaveLength(1);
});
