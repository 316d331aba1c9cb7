/** Both verifiers on the vectors of the repository: good ones, and broken ones with what must be said of them. */
import { beforeAll, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JSONWebKeySet } from 'jose';
import { parseHeads } from '../../src/audit/verify/chain.js';
import { sentenceOf } from '../../src/audit/verify/words.js';
import { verifyFile, type Trust } from '../../src/audit/verify/verify.js';
import { pythonVerifier, type PythonVerifier } from './verify-python.js';

type Case = {
  readonly file: string;
  readonly jwks?: string;
  readonly key?: string;
  readonly heads?: string;
  readonly answer: string;
};
const folder = fileURLToPath(new URL('../vectors', import.meta.url));
const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');

let cases: readonly Case[];
let python: PythonVerifier;
beforeAll(async () => {
  cases = JSON.parse(await read('cases.json')) as readonly Case[];
  python = await pythonVerifier();
}, 200_000);

it('are many, good and broken, of both kinds of file', () => {
  const count = (part: RegExp): number => cases.filter(({ answer }) => part.test(answer)).length;
  expect(cases.length).toBeGreaterThan(45);
  expect(count(/^verified: /)).toBeGreaterThan(7);
  expect(count(/^broken: /)).toBeGreaterThan(30);
  expect(count(/chain acme/)).toBeGreaterThan(2);
});

it('rok verify answers each as it must', async () => {
  const answers = await Promise.all(
    cases.map(async ({ file, jwks, key, heads }) => {
      const trust: Trust =
        jwks !== undefined
          ? { jwks: JSON.parse(await read(jwks)) as JSONWebKeySet }
          : key === undefined
            ? null
            : { thumbprint: key };
      const outside = heads === undefined ? [] : (parseHeads(await read(heads)) ?? []);
      return sentenceOf(await verifyFile(await readFile(join(folder, file)), trust, { heads: outside }));
    }),
  );
  expect(answers.map((answer, at) => ({ ...cases[at], answer }))).toEqual(cases);
});

it('verify.py answers each in the same words, with the same exit code', async () => {
  const groups = new Map<string, Case[]>();
  for (const one of cases) {
    const options = (['jwks', 'key', 'heads'] as const).flatMap((name) => {
      const value = one[name];
      return value === undefined ? [] : [`--${name}`, name === 'key' ? value : join(folder, value)];
    });
    const group = JSON.stringify(options);
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  for (const [options, group] of groups) {
    const { code, lines } = await python(
      group.map(({ file }) => join(folder, file)),
      JSON.parse(options) as readonly string[],
    );
    expect(lines.map((answer, at) => ({ ...group[at], answer }))).toEqual(group);
    expect(code).toBe(group.every(({ answer }) => answer.startsWith('verified: ')) ? 0 : 6);
  }
});
