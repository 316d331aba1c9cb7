/** `rok key make`: what it writes, and what it never writes over. Needs no server. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CompactSign, compactVerify, createLocalJWKSet, importJWK, type JWK } from 'jose';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { loadKeySet, loadPrivateKey } from '../../src/platform/config/files.js';
import { temporaryFolder } from '../stack/servers.js';
import { rok } from './rig.js';

type KeySet = { readonly keys: readonly JWK[] };

let folder: string;
const file = (name: string): string => join(folder, name);
const make = (kid: string, out: string, jwks: string) =>
  rok(['key', 'make', kid, '--out', file(out), '--jwks', file(jwks)], {});

beforeAll(async () => {
  folder = await temporaryFolder('rok-key-');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('rok key make', () => {
  it('writes a private key that its owner alone reads, and a set that verifies what it signs', async () => {
    const { code, out, err } = await make('receipts-1', 'one.json', 'one.jwks.json');
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^receipts-1 {2}[\w-]{43}\n$/) });
    expect((await stat(file('one.json'))).mode & 0o077).toBe(0);
    const key = await loadPrivateKey(file('one.json'), 'ROK_SIGNING_KEY');
    expect(`${out}${err}${await readFile(file('one.jwks.json'), 'utf8')}`).not.toContain(key.d);
    const jws = await new CompactSign(Buffer.from('text'))
      .setProtectedHeader({ alg: 'EdDSA', kid: key.kid })
      .sign(await importJWK(key, 'EdDSA'));
    const set = JSON.parse(await readFile(file('one.jwks.json'), 'utf8')) as { keys: JWK[] };
    await expect(compactVerify(jws, createLocalJWKSet(set))).resolves.toBeDefined();
    await expect(loadKeySet(file('one.jwks.json'))).resolves.toBeDefined();
    expect((await createSigner(key)).kid).toBe('receipts-1');
  });

  it('adds to a set, and keeps the keys that are there', async () => {
    await make('staff-1', 'staff-1.json', 'staff.jwks.json');
    await make('staff-2', 'staff-2.json', 'staff.jwks.json');
    const { keys } = JSON.parse(await readFile(file('staff.jwks.json'), 'utf8')) as KeySet;
    expect(keys.map(({ kid }) => kid)).toEqual(['staff-1', 'staff-2']);
  });

  it('writes over no key, takes no name twice, and takes no private key for a set', async () => {
    await make('two', 'two.json', 'two.jwks.json');
    const before = await readFile(file('two.json'), 'utf8');
    expect(await make('three', 'two.json', 'two.jwks.json')).toMatchObject({ code: 2, out: '' });
    expect(await make('two', 'other.json', 'two.jwks.json')).toMatchObject({ code: 2, out: '' });
    await writeFile(file('private.json'), JSON.stringify({ keys: [JSON.parse(before)] }));
    expect(await make('four', 'four.json', 'private.json')).toMatchObject({ code: 2, out: '' });
    expect(await make('a name', 'five.json', 'five.jwks.json')).toMatchObject({ code: 2, out: '' });
    expect(await readFile(file('two.json'), 'utf8')).toBe(before);
    const { keys } = JSON.parse(await readFile(file('two.jwks.json'), 'utf8')) as KeySet;
    expect(keys).toHaveLength(1);
  });
});
