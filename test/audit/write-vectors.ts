/** Writes the vectors of version 2: a run's bundle, and one planted offender for each finding that it could come to. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleText, type Bundle } from '../../src/audit/evidence/evidence.js';
import type { Signer } from '../../src/audit/receipts/signer.js';
import { sentenceOf } from '../../src/audit/verify/words.js';
import { verifyBundle } from '../../src/audit/verify/verify.js';
import { offences } from './offences.js';
import { resigned } from './resigned.js';

/** Takes the place of those that are there; the key is the signer's, and is not kept. */
export async function writeVectors(folder: string, bundle: Bundle, signer: Signer): Promise<void> {
  const jwks = { keys: [signer.publicJwk] };
  const first = new Map([...offences(bundle)].reverse());
  const files: [name: string, text: string][] = [['complete', bundleText(bundle)]];
  for (const [finding, edit] of [...first].reverse())
    files.push([
      finding.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
      bundleText(await resigned(bundle, signer, edit)),
    ]);
  const cases: object[] = [];
  for (const [name, text] of files) {
    const file = `v2-${name}.json`;
    await writeFile(join(folder, file), text);
    cases.push({ file, jwks: 'v2-keys.json', answer: sentenceOf(await verifyBundle(text, { jwks })) });
  }
  await writeFile(join(folder, 'v2-keys.json'), `${JSON.stringify(jwks)}\n`);
  const all = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8')) as { readonly file: string }[];
  const kept = all.filter(({ file }) => !file.startsWith('v2-'));
  await writeFile(join(folder, 'cases.json'), `${JSON.stringify([...kept, ...cases], null, 2)}\n`);
}
