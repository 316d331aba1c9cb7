/** Migrations that were released stay as they were: their checksums, held against sql/released.sha256. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { readSqlFiles, schemasOf, type SqlFile } from '../../src/platform/postgres/sql-files.js';
import { sqlFolder } from '../../src/platform/postgres/sql-folder.js';

/** As `sha256sum` writes it, in the order in which they run. */
const listed = (files: readonly SqlFile[]): readonly string[] =>
  files.map(({ checksum, path }) => `${checksum}  ${path}`);

const released = async (): Promise<readonly string[]> =>
  (await readFile(join(sqlFolder, 'released.sha256'), 'utf8')).trimEnd().split('\n');

it('every migration is listed as it was released, and none is missing', async () => {
  const { migrations } = await readSqlFiles(sqlFolder);
  expect(migrations.length).toBeGreaterThan(40);
  expect(listed(migrations)).toEqual(await released());
});

it('an edited one, planted, is found by its line', async () => {
  const { migrations } = await readSqlFiles(sqlFolder);
  const edited = migrations.map((file, at) => (at === 7 ? { ...file, checksum: 'f'.repeat(64) } : file));
  const lines = await released();
  expect(listed(edited).filter((line) => !lines.includes(line))).toEqual([
    `${'f'.repeat(64)}  ${migrations[7]?.path ?? ''}`,
  ]);
});

/** What of the other kind a file holds, outside of comments and function bodies. */
const strangers = ({ path, text }: SqlFile): readonly string[] => {
  const said = text.replace(/--[^\n]*/g, '').replace(/(\$[a-z_]*\$).*?\1/gs, '');
  const foreign = path.startsWith('migrations/')
    ? /^\s*CREATE (OR REPLACE )?(VIEW|TRIGGER|CONSTRAINT TRIGGER)\b/gim
    : /^\s*(CREATE (TABLE|INDEX|UNIQUE INDEX|DOMAIN|TYPE|SCHEMA|SEQUENCE)|ALTER TABLE|DROP|INSERT INTO)\b|^\s*CREATE (FUNCTION|VIEW|TRIGGER)\b/gim;
  return [...said.matchAll(foreign)].map(([found]) => `${path}: ${found.trim()}`);
};

it('tables are made by migrations alone, and what is made again can be', async () => {
  const { migrations, repeatables } = await readSqlFiles(sqlFolder);
  expect([...migrations, ...repeatables].flatMap(strangers)).toEqual([]);
  expect(schemasOf(repeatables.map(({ path }) => path))).toEqual([
    'audit',
    'auditor',
    'decide',
    'execute',
    'observe',
    'rok',
    'shop',
  ]);
});

it.each([
  ['migrations/0001_a.sql', 'CREATE VIEW a AS SELECT 1', 'CREATE VIEW'],
  ['migrations/0001_a.sql', 'CREATE OR REPLACE TRIGGER a BEFORE', 'CREATE OR REPLACE TRIGGER'],
  ['repeatable/0001_a.sql', 'CREATE TABLE a (b int)', 'CREATE TABLE'],
  ['repeatable/0001_a.sql', 'SELECT 1;\nALTER TABLE a ADD b int', 'ALTER TABLE'],
  ['repeatable/0001_a.sql', 'CREATE FUNCTION a() RETURNS int', 'CREATE FUNCTION'],
])('planted in %s, `%s` is found', (path, text, found) => {
  expect(strangers({ path, text, checksum: '' })).toEqual([`${path}: ${found}`]);
  expect(strangers({ path, text: `-- ${text.replaceAll('\n', ' ')}\n`, checksum: '' })).toEqual([]);
});

/** Names of what more than one repeatable file makes: the second would silently replace the first. */
const madeTwice = (files: readonly SqlFile[]): readonly string[] => {
  const made = files.flatMap(({ text }) =>
    [...text.matchAll(/^CREATE OR REPLACE ((?:FUNCTION|VIEW) [a-z_.]+|TRIGGER [a-z_]+ .*? ON [a-z_.]+)/gm)].map(
      ([, name = '']) => name.replace(/ (BEFORE|AFTER) .* ON /, ' ON '),
    ),
  );
  return made.filter((name, at) => made.indexOf(name) !== at);
};

it('nothing is made twice', async () => {
  const { repeatables } = await readSqlFiles(sqlFolder);
  expect(madeTwice(repeatables)).toEqual([]);
  const runs = repeatables.filter(({ path }) => path.endsWith('/0103_runs.sql'));
  expect(madeTwice([...repeatables, ...runs])).toContain('VIEW decide.v_runs');
  expect(madeTwice([...repeatables, ...runs])).toContain('TRIGGER guard_phase ON decide.runs');
});
