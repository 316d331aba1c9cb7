/** Heads outside the database: written when a chain has grown, each once, and what they prove. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { headWriter } from '../../src/audit/receipts/heads.js';
import { collectChain } from '../../src/audit/receipts/receipt-chain.js';
import { receiptHash } from '../../src/audit/receipts/receipt.js';
import { parseHeads, verifyChain, type OutsideHead } from '../../src/audit/verify/chain.js';
import { appendDurably } from '../../src/platform/config/append-file.js';
import { temporaryFolder } from '../stack/servers.js';
import { createReceiptRig, type ReceiptRig } from './receipts-rig.js';

let rig: ReceiptRig;
let folder: string;
beforeAll(async () => {
  rig = await createReceiptRig();
  folder = await temporaryFolder('heads');
});
afterAll(async () => {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
});

const headsIn = async (file: string): Promise<readonly OutsideHead[]> => parseHeads(await readFile(file, 'utf8')) ?? [];
const short = ({ chain, n }: OutsideHead): string => `${chain} ${n}`;

describe('the head writer', () => {
  it('hands each head on once, when its chain has grown, with the hash of the receipt of that number', async () => {
    const file = join(folder, 'heads.jsonl');
    const write = headWriter(rig.logins.audit, (lines) => appendDurably(file, lines));
    expect(await write()).toBe(0);
    await rig.signedRun({ tenant: 'one' });
    const last = await rig.bundleOf(await rig.signedRun({ tenant: 'one' }));
    expect([await write(), await write()]).toEqual([1, 0]);
    await rig.signedRun({ tenant: 'two' });
    await rig.signedRun({ tenant: 'one' });
    expect(await write()).toBe(2);
    const heads = await headsIn(file);
    expect(heads.map(short)).toEqual(['one 2', 'one 3', 'two 1']);
    expect(heads[0]?.hash).toBe(receiptHash(last.receipt));
  });

  it('hands on again what could not be written', async () => {
    const said: string[] = [];
    let full = true;
    const write = headWriter(rig.logins.audit, (lines) => {
      if (full) return Promise.reject(new Error('no space left'));
      said.push(lines);
      return Promise.resolve();
    });
    await expect(write()).rejects.toThrow('no space left');
    full = false;
    expect(await write()).toBe(2);
    expect(said.join('').split('\n')).toHaveLength(3);
  });
});

describe('an outside head', () => {
  it('proves all that was there: nothing before it can be cut, changed or moved', async () => {
    for (let n = 0; n < 3; n += 1) await rig.signedRun({ tenant: 'held' });
    let lines = '';
    await headWriter(rig.logins.audit, (more) => Promise.resolve(void (lines += more)))();
    const heads = parseHeads(lines) ?? [];
    await rig.signedRun({ tenant: 'held' });
    const chain = await collectChain(rig.logins.audit, 'held', rig.jwks);
    const trust = { jwks: rig.jwks };
    const answer = async (receipts: typeof chain.receipts) => {
      const said = await verifyChain({ ...chain, receipts }, trust, heads);
      return said.result === 'broken' ? `${said.broken.what}: ${said.broken.detail}` : said.result;
    };
    expect(await answer(chain.receipts)).toBe('verified');
    expect(await answer(chain.receipts.slice(0, 2))).toBe(
      'receipt 3 of held: it is not there, and an outside head names number 3',
    );
    expect(await answer(chain.receipts.slice(1))).toBe('receipt 1 of held: it is not there');
    expect(await answer([...chain.receipts].reverse())).toBe('receipt 1 of held: it is not there');
    // What follows the last outside head is not covered by it: see docs/threat-model.md.
    expect(await answer(chain.receipts.slice(0, 3))).toBe('verified');
  });

  it('must be a line of exactly its members', () => {
    expect(parseHeads('{"at":"x","chain":"a","n":"1"}\n')).toBeNull();
    expect(parseHeads('no json\n')).toBeNull();
    expect(parseHeads('')).toEqual([]);
  });
});
