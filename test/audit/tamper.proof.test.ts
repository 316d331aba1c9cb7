/**
 * Random changes of bundles, and of rows by a superuser, of what a receipt or an outside head covers: both verifiers catch
 * every one, name the first bad record, and say the same. The seed is printed; ROK_SEED repeats a run.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { closeRun } from '../../src/audit/judge/close.js';
import { collectBundle } from '../../src/audit/evidence/bundle.js';
import { bundleText, type Bundle } from '../../src/audit/evidence/evidence.js';
import { headLines, readHeads } from '../../src/audit/receipts/heads.js';
import { collectChain } from '../../src/audit/receipts/receipt-chain.js';
import { receiptText, type Receipt } from '../../src/audit/receipts/receipt.js';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { parseHeads, type OutsideHead } from '../../src/audit/verify/chain.js';
import { sentenceOf } from '../../src/audit/verify/words.js';
import { verifyFile } from '../../src/audit/verify/verify.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import { proofSize } from '../proof-size.js';
import { temporaryFolder } from '../stack/servers.js';
import { createReceiptRig, privateKey, type ReceiptRig } from './receipts-rig.js';
import { sealedRun } from './sealed-run.js';
import { CHANGES, changed, type Subject } from './tamper-bundle.js';
import { randomOf } from './tamper-random.js';
import { CHAIN_CHANGES, ROW_CHANGES } from './tamper-rows.js';
import { pythonVerifier, type PythonVerifier } from './verify-python.js';

const SIZE = proofSize({
  quick: { bundles: 500, rows: 260, chains: 60 },
  full: { bundles: 5_000, rows: 4_000, chains: 1_000 },
});
const BATCH = 250;
const seed = Number(process.env['ROK_SEED'] ?? Date.now() % 2 ** 31);

let rig: ReceiptRig;
let python: PythonVerifier;
let folder: string;
let subjects: readonly Subject[];
let runs: readonly RunId[];
beforeAll(async () => {
  process.stdout.write(`tamper: seed ${seed}\n`);
  [rig, python, folder] = [await createReceiptRig(), await pythonVerifier(), await temporaryFolder('tamper')];
  await writeFile(join(folder, 'keys.json'), JSON.stringify(rig.jwks));
  runs = [
    await rig.signedRun({ rich: true }),
    await rig.signedRun({ rich: true }),
    await rig.signedRun(),
    await rig.signedRun(),
    await judgedWhileOpen(),
  ];
  const bundles = await Promise.all(runs.map((run) => rig.bundleOf(run)));
  subjects = await Promise.all(bundles.map((bundle, at) => subjectOf(bundle, bundles[at ^ 1] ?? bundles[0] ?? bundle)));
}, 200_000);
afterAll(async () => {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
});

/** STALE: nobody finalized it in time, and more may come. */
async function judgedWhileOpen(): Promise<RunId> {
  await rig.stack.admin.query(
    `INSERT INTO audit.terms VALUES ('acme', 'desk', '1 millisecond', '1 millisecond', '1 day')`,
  );
  const run = await sealedRun(rig.stack, rig.logins, { open: true });
  await closeRun(rig.deps, run);
  return run;
}

async function subjectOf(bundle: Bundle, other: Bundle): Promise<Subject> {
  const forger = await createSigner(await privateKey('audit-1'));
  const receipt = decodeJwt(bundle.receipt) as unknown as Receipt;
  return {
    bundle,
    other,
    forged: { receipt: await forger.sign(receiptText(receipt)), keys: { keys: [forger.publicJwk] } },
    final: receipt.facts?.phase === 'COMPLETED',
  };
}

type Tampered = { readonly how: string; readonly text: string; readonly names: string };

/** Both verifiers on all of them. @returns those that were not caught, not named, or not answered alike */
async function missed(all: readonly Tampered[], heads: readonly OutsideHead[] = []): Promise<readonly string[]> {
  const options = ['--jwks', join(folder, 'keys.json')];
  if (heads.length > 0) {
    await writeFile(join(folder, 'heads.jsonl'), headLines(heads));
    options.push('--heads', join(folder, 'heads.jsonl'));
  }
  const problems: string[] = [];
  for (let from = 0; from < all.length; from += BATCH) {
    const batch = all.slice(from, from + BATCH);
    const files = batch.map((_, at) => join(folder, `${at}.json`));
    await Promise.all(batch.map(({ text }, at) => writeFile(files[at] ?? '', text)));
    const { lines } = await python(files, options);
    for (const [at, { how, text, names }] of batch.entries()) {
      const answer = sentenceOf(await verifyFile(text, { jwks: rig.jwks }, { heads }));
      const fine = answer === lines[at] && answer.startsWith(`broken: ${names}`);
      if (!fine) problems.push(`${how}: ${answer} | ${lines[at] ?? ''} | expected ${names}`);
    }
  }
  return problems;
}

it('untouched, they verify; one of them was judged while it was open', async () => {
  const answers = await Promise.all(
    subjects.map(async ({ bundle }) => verifyFile(bundleText(bundle), { jwks: rig.jwks })),
  );
  expect(answers.map(({ result }) => result)).toEqual(Array(5).fill('verified'));
  expect(subjects.map(({ final }) => final)).toEqual([true, true, true, true, false]);
});

it(
  `${SIZE.bundles} changes of bundles are caught, named and answered alike`,
  async () => {
    const random = randomOf(seed);
    const all: Tampered[] = [];
    while (all.length < SIZE.bundles) {
      const one = changed(random.of(subjects), random);
      if (one !== null) all.push(one);
    }
    expect(new Set(all.map(({ how }) => how)).size).toBe(Object.keys(CHANGES).length);
    expect(await missed(all)).toEqual([]);
  },
  proofSize({ quick: 60_000, full: 600_000 }),
);

class Undone extends Error {}

/** As a superuser for whom no trigger fires; what `work` did is undone. */
async function asSuperuser(work: (sql: Sql) => Promise<void>): Promise<void> {
  await rig.stack.admin
    .transaction(async (sql) => {
      await sql.query('SET LOCAL session_replication_role = replica');
      await work(sql);
      throw new Undone();
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undone)) throw error;
    });
}

it(
  `${SIZE.rows} changes of rows are caught by an export, named and answered alike`,
  async () => {
    const random = randomOf(seed + 1);
    const ways = Object.keys(ROW_CHANGES);
    const all: Tampered[] = [];
    while (all.length < SIZE.rows) {
      const at = random.below(4);
      const [run, other] = [runs[at], runs[at ^ 1]];
      if (run === undefined || other === undefined) throw new Error('no run');
      // Each in turn; where a run has no such row, the next one is asked.
      const how = ways[all.length % ways.length] ?? '';
      await asSuperuser(async (sql) => {
        const names = await ROW_CHANGES[how]?.(sql, uuidOf(run), uuidOf(other), random);
        const bundle = await collectBundle(sql, run, { keys: rig.jwks });
        if (typeof names === 'string' && bundle !== null) all.push({ how, names, text: bundleText(bundle) });
      });
    }
    expect(new Set(all.map(({ how }) => how)).size).toBe(Object.keys(ROW_CHANGES).length);
    expect(await missed(all)).toEqual([]);
  },
  proofSize({ quick: 60_000, full: 600_000 }),
);

it(
  `${SIZE.chains} changes of a chain of receipts are caught by an earlier outside head`,
  async () => {
    const random = randomOf(seed + 2);
    const heads = parseHeads(headLines(await readHeads(rig.logins.audit, 'audit.receipt_heads'))) ?? [];
    expect(heads.map(({ n }) => n)).toEqual(['5']);
    const all: Tampered[] = [];
    while (all.length < SIZE.chains) {
      const how = random.of(Object.keys(CHAIN_CHANGES));
      const n = 1 + random.below(5);
      await asSuperuser(async (sql) => {
        await sql.query(CHAIN_CHANGES[how]?.(n, random) ?? '', ['acme']);
        const text = `${JSON.stringify(await collectChain(sql, 'acme', rig.jwks))}\n`;
        all.push({ how, text, names: `receipt ${n} of acme: ` });
      });
    }
    expect(await missed(all, heads)).toEqual([]);
  },
  proofSize({ quick: 60_000, full: 600_000 }),
);
