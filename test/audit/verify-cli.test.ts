/** `rok export` and `rok verify`: evidence leaves as a file and is verified without the database, by an outside trust root. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { closeRun } from '../../src/audit/judge/close.js';
import { enterKey } from '../../src/audit/evidence/key-set.js';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { createRig, rok, saying, type Rig } from '../cli/rig.js';
import { closeLogins, openLogins, sealedRun, type Logins } from './sealed-run.js';

let rig: Rig;
let logins: Logins;
let runs: readonly string[];
let thumbprint: string;
beforeAll(async () => {
  rig = await createRig({ workers: false });
  logins = await openLogins(rig.stack);
  const signer = await createSigner(JSON.parse(await readFile(rig.keys.signingKey, 'utf8')) as JWK);
  await enterKey(logins.audit, signer);
  thumbprint = await calculateJwkThumbprint(signer.publicJwk);
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const signed = [];
  for (let n = 0; n < 3; n += 1) {
    const run = await sealedRun(rig.stack, logins, { rich: n === 0 });
    await closeRun({ database: logins.audit, signer, assertionKeys: null, log }, run);
    signed.push(run);
  }
  runs = signed;
});
afterAll(async () => {
  await closeLogins(logins);
  await rig.stop();
});

const file = (name: string): string => join(rig.folder, name);
/** No server is named: whatever these find, they find in the file. */
const offline = (...args: readonly string[]) =>
  rok(args, { ROK_DATABASE_URL_READ: 'postgresql://nobody@127.0.0.1:1/none' });

describe('a bundle', () => {
  it('verifies offline with a key set or a thumbprint from outside, and not without', async () => {
    const out = file('bundle.json');
    expect(await rig.rok('export', runs[0] ?? '', '--out', out)).toMatchObject({ code: 0, out: '' });
    const about = `receipt 1 of ${runs[0] ?? ''}, agent desk of tenant acme, verdict COMPLETE, revision 1`;
    const verified = `verified: ${about}, signed by development-receipt (a development key)\n`;
    expect(await offline('verify', out, '--jwks', rig.keys.receiptKeySet)).toEqual({ code: 0, out: verified, err: '' });
    expect(await offline('verify', out, '--offline', '--key', thumbprint)).toEqual({ code: 0, out: verified, err: '' });
    expect(await offline('verify', out)).toMatchObject({ code: 6, out: `consistent, signer unknown: ${about}\n` });
    expect(await offline('verify', out, '--jwks', rig.keys.assertionKeySet)).toMatchObject({
      code: 6,
      out: saying('broken: receipt.signer'),
    });
  });

  it('that was changed is broken, and the first broken thing is named', async () => {
    const out = file('changed.json');
    await rig.rok('export', runs[0] ?? '', '--out', out);
    const text = await readFile(out, 'utf8');
    await writeFile(out, text.replace('\\"effect\\":\\"pause\\"', '\\"effect\\":\\"allow\\"'));
    expect(await offline('verify', out, '--jwks', rig.keys.receiptKeySet)).toMatchObject({
      code: 6,
      out: 'broken: trace event 4: event 4 is not what its hash says\n',
    });
    const { code, out: json } = await offline('verify', out, '--jwks', rig.keys.receiptKeySet, '--json');
    expect([code, JSON.parse(json)]).toMatchObject([6, { result: 'broken', broken: { what: 'trace event 4' } }]);
  });

  it('is what `rok verify` makes of a run by itself', async () => {
    expect(await rig.rok('verify', runs[1] ?? '', '--jwks', rig.keys.receiptKeySet)).toMatchObject({ code: 0 });
    expect(await rig.rok('verify', 'run_00000000-0000-0000-0000-000000000000')).toMatchObject({ code: 3 });
  });
});

describe('a chain', () => {
  it('is held against outside heads, from its file and in the database', async () => {
    const [out, heads] = [file('chain.json'), file('heads.jsonl')];
    await rig.rok('export', '--chain', 'acme', '--out', out);
    await rig.rok('export', '--heads', '--out', heads);
    const said = 'verified: chain acme, 3 receipts, held against 1 outside heads\n';
    const trust = ['--jwks', rig.keys.receiptKeySet, '--heads', heads];
    expect(await offline('verify', out, ...trust)).toEqual({ code: 0, out: said, err: '' });
    expect(await rig.rok('verify', ...trust)).toEqual({ code: 0, out: said, err: '' });

    await rig.stack.admin.transaction(async (sql) => {
      await sql.query('SET LOCAL session_replication_role = replica');
      await sql.query(`DELETE FROM audit.receipts WHERE tenant = 'acme' AND n = 3`);
      await sql.query(
        `UPDATE audit.receipt_heads SET n = 2, hash = (SELECT hash FROM audit.receipts WHERE tenant = 'acme' AND n = 2)`,
      );
    });
    expect(await rig.rok('verify', ...trust)).toMatchObject({
      code: 6,
      out: 'broken: receipt 3 of acme: it is not there, and an outside head names number 3\n',
    });
  });

  it('carries the public keys, which can be exported by themselves', async () => {
    await rig.rok('export', '--keys', '--out', file('keys.json'));
    expect(await rig.rok('export', '--keys', '--out', '/no-folder/keys.json')).toMatchObject({
      code: 2,
      err: saying('`/no-folder/keys.json` cannot be written (ENOENT)'),
    });
    const { keys } = JSON.parse(await readFile(file('keys.json'), 'utf8')) as { readonly keys: readonly JWK[] };
    expect(keys.map(({ kid, kty, d }) => [kid, kty, d])).toEqual([['development-receipt', 'OKP', undefined]]);
    expect(await offline('verify', file('chain.json'), '--jwks', file('keys.json'))).toMatchObject({ code: 0 });
  });
});

describe('what was not understood', () => {
  it.each([
    [['verify'], 'nothing was named'],
    [['verify', 'x', '--jwks', 'a', '--key', 'b'], 'both `--jwks` and `--key` were given'],
    [['verify', 'x', '--key', 'short'], 'is not the thumbprint of a key'],
    [['verify', 'no-file', '--offline'], 'there is no file `no-file`'],
    [['verify', 'x', '--heads', 'package.json'], 'holds no heads'],
    [['export', '--out', 'x'], 'name one thing to export'],
    [['export', 'r', '--keys', '--out', 'x'], 'name one thing to export'],
    [['export', 'r', '--revision', '0', '--out', 'x'], 'must be a whole number from 1'],
  ])('%j', async (args, message) => {
    expect(await offline(...args)).toMatchObject({ code: 2, out: '', err: saying(message) });
  });
});
