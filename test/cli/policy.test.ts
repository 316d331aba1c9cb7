import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../stack/servers.js';
import { rok } from './rig.js';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('policy');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function setOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const at = join(folder, name);
  await mkdir(at);
  for (const [file, text] of Object.entries(files)) await writeFile(join(at, file), text);
  return at;
}
const permit = '@id("all") permit (principal, action, resource);';
const limit = (attribute: string) =>
  `@id("big") forbid (principal, action == Action::"skill.call", resource) when { context.arguments.${attribute} > 10 };`;
const SCHEMA = 'type Arguments = { amount: Long };';

describe('rok policy lint', () => {
  it('finds nothing wrong with the set that ships, nor with one that fits its schema', async () => {
    expect(await rok(['policy', 'lint'], {})).toMatchObject({ code: 0, out: '', err: 'nothing wrong\n' });
    const good = await setOf('good', { 'default.cedar': permit + limit('amount'), 'skills.cedarschema': SCHEMA });
    expect(await rok(['policy', 'lint', good], {})).toMatchObject({ code: 0 });
  });

  it('names every problem with its policy, exit code 1', async () => {
    const bad = await setOf('bad', {
      'default.cedar': `${permit} ${limit('amuont')} @id("s") @shadow("yes") forbid (principal, action, resource) when { context.nwoMs > 1 };`,
      'unnamed.cedar': permit.replace('@id("all")', ''),
      'skills.cedarschema': SCHEMA,
      'broken.cedar': 'permit (principal',
    });
    const { code, out } = await rok(['policy', 'lint', bad, '--json'], {});
    const problems = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { where: string; text: string });
    expect(code).toBe(1);
    expect(problems.map(({ where }) => where).sort()).toEqual(
      ['broken', 'default/big', 'default/s', 'default/s', 'unnamed/policy0'].sort(),
    );
    expect(problems.find(({ where }) => where === 'default/big')?.text).toContain('did you mean `amount`?');
  });
});

describe('rok policy test', () => {
  it('passes the tests that ship', async () => {
    expect(await rok(['policy', 'test'], {})).toMatchObject({ code: 0, err: '5 passed, 0 failed\n' });
  });

  it('says what was otherwise than expected, exit code 7', async () => {
    const at = await setOf('failing', {
      'default.cedar': permit + limit('amount'),
      'default.test.yaml': `- name: eleven is too much
  request: { kind: skill.call, target: pay@1, arguments: { amount: 11 } }
  expect: deny
  determining: [default/big]
- name: eleven is allowed
  request: { kind: skill.call, target: pay@1, arguments: { amount: 11 } }
  expect: allow
  determining: [default/all]
`,
    });
    const { code, out, err } = await rok(['policy', 'test', at], {});
    expect([code, err]).toEqual([7, '1 passed, 1 failed\n']);
    expect(out).toContain(
      'it is deny, expected allow: default/big: forbidden by `default/big`; determined by default/big, expected default/all',
    );
  });

  it('refuses a test that is none, by name', async () => {
    const at = await setOf('none', { 'default.cedar': permit, 'default.test.yaml': '- expect: maybe\n' });
    expect(await rok(['policy', 'test', at], {})).toMatchObject({
      code: 1,
      err: expect.stringContaining('tests.default.0.name'),
    });
  });
});
