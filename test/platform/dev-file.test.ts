import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandEnvironment } from '../../src/platform/config/environment.js';
import { readDevFile, writeDevFile } from '../../src/platform/local/dev-file.js';
import { ensureDevKeys } from '../../src/platform/local/dev-keys.js';
import { temporaryFolder } from '../stack/servers.js';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('dev-file');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const there = { TEMPORAL_ADDRESS: '127.0.0.1:1', ROK_DATABASE_URL_READ: 'postgresql://rok_read:pw@127.0.0.1:2/rok' };

describe('the file of a running `rok dev`', () => {
  it('leads commands there while its process lives, and is closed to others', async () => {
    expect(await readDevFile(folder)).toEqual({});
    const remove = await writeDevFile(folder, there);
    expect((await stat(join(folder, 'dev.json'))).mode & 0o777).toBe(0o600);
    expect(await commandEnvironment(folder, { PATH: '/bin' })).toEqual({ PATH: '/bin', ...there });
    await remove();
    expect(await commandEnvironment(folder, { PATH: '/bin' })).toEqual({ PATH: '/bin' });
  });

  it('never mixes with servers that the environment names', async () => {
    const remove = await writeDevFile(folder, there);
    for (const own of [{ TEMPORAL_ADDRESS: 'temporal:7233' }, { ROK_DATABASE_URL: 'postgresql://db/rok' }])
      expect(await commandEnvironment(folder, own)).toEqual(own);
    await remove();
  });

  it('is worth nothing once its process is another', async () => {
    const remove = await writeDevFile(folder, there);
    const file = join(folder, 'dev.json');
    const content = JSON.parse(await readFile(file, 'utf8')) as { pid: number; start: string };
    await writeFile(file, JSON.stringify({ ...content, start: '1' }));
    expect(await readDevFile(folder)).toEqual({});
    await remove();
  });
});

describe('development keys', () => {
  it('are made once, say what they are, and are kept from others', async () => {
    const keys = await ensureDevKeys(join(folder, 'keys'));
    const first = await readFile(keys.signingKey, 'utf8');
    expect(await ensureDevKeys(join(folder, 'keys'))).toEqual(keys);
    expect(await readFile(keys.signingKey, 'utf8')).toBe(first);
    for (const file of [keys.signingKey, keys.assertionKey]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    const set = JSON.parse(await readFile(keys.receiptKeySet, 'utf8')) as { keys: Record<string, unknown>[] };
    expect(set.keys).toEqual([expect.objectContaining({ kid: 'development-receipt', kty: 'OKP', crv: 'Ed25519' })]);
    expect(set.keys[0]).not.toHaveProperty('d');
  });
});
