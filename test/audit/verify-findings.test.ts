/** What the records of a run come to, its verdict must name: both verifiers refuse one that does not, and take what it tells. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { bundleText, type Bundle } from '../../src/audit/evidence/evidence.js';
import { verifyBundle } from '../../src/audit/verify/verify.js';
import { offences } from './offences.js';
import { createReceiptRig, type ReceiptRig } from './receipts-rig.js';
import { resigned, type Edit } from './resigned.js';
import { byPython } from './verify-python.js';
import { writeVectors } from './write-vectors.js';

let rig: ReceiptRig;
let bundle: Bundle;
beforeAll(async () => {
  rig = await createReceiptRig();
  bundle = await rig.bundleOf(await rig.signedRun({ rich: true }));
  const folder = process.env['ROK_VECTORS'];
  if (folder !== undefined) await writeVectors(folder, bundle, rig.signer);
});
afterAll(() => rig.stop());

const broken = (what: string, detail: string) => ({ result: 'broken', broken: { what, detail } });

it('of every offence is named, alike by both', async () => {
  const all = offences(bundle);
  const files = await Promise.all(all.map(async ([, edit]) => bundleText(await resigned(bundle, rig.signer, edit))));
  const detail = 'the records come to it, and the verdict does not name it';
  const python = await byPython(files, rig.jwks);
  for (const [at, [finding]] of all.entries()) {
    // One more use of an approval is two offences; the first by name is told.
    const what = `finding ${finding}`;
    expect(await verifyBundle(files[at] ?? '', { jwks: rig.jwks })).toEqual(broken(what, detail));
    expect(python[at]).toBe(`broken: ${what}: ${detail}`);
  }
});

it('calls refused before a decision are as many as the receipt states', async () => {
  const receipt: NonNullable<Edit['receipt']> = (r) => ({ ...r, facts: r.facts && { ...r.facts, refusedCalls: 1 } });
  const file = bundleText(await resigned(bundle, rig.signer, { receipt }));
  const detail = 'the receipt states 1, there are 0';
  expect(await verifyBundle(file, { jwks: rig.jwks })).toEqual(broken('refused calls', detail));
  expect(await byPython([file], rig.jwks)).toEqual([`broken: refused calls: ${detail}`]);
});

it('what the verdict tells of is taken as told', async () => {
  const told = await Promise.all(
    offences(bundle).map(([finding, edit]) => {
      const names = finding.startsWith('UNWARRANTED hold') ? [finding, 'UNWARRANTED step 3 attempt 1'] : [finding];
      const findings = names.map((name) => {
        const [code = '', ...subject] = name.split(' ');
        return { code: code as 'MISMATCH', blocking: true, subject: subject.join(' '), detail: 'planted' };
      });
      return resigned(bundle, rig.signer, {
        ...edit,
        receipt: (r) => {
          const said = edit.receipt?.(r) ?? r;
          return { ...said, verdict: { ...said.verdict, status: 'INCOMPLETE', findings } };
        },
      });
    }),
  );
  const files = told.map(bundleText);
  const answers = await Promise.all(files.map((file) => verifyBundle(file, { jwks: rig.jwks })));
  expect(answers.map((answer) => (answer.result === 'broken' ? answer.broken.what : answer.result))).toEqual(
    files.map(() => 'verified'),
  );
  for (const line of await byPython(files, rig.jwks)) expect(line).toMatch(/^verified: /);
});
