/**
 * `scripts/bootstrap.mjs` and its parts, on small planted repositories with the real compiler and the real Temporal CLI.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { build, buildIsCurrent } from '../../scripts/build.mjs';
import { requireEnterable } from '../../scripts/checkout-folder.mjs';
import { dependenciesAreCurrent } from '../../scripts/dependencies.mjs';
import { requireNode } from '../../scripts/node-version.mjs';
import { findTemporalCli } from '../../scripts/temporal-cli.mjs';
import { inTurn } from '../../scripts/turn.mjs';
import { plantRoot, repository, shareNodeModules, type PlantedRoot } from './planted-root.js';

const source = 'export const one = 1;\n';
const compilerOptions = { module: 'nodenext', target: 'es2022', rootDir: 'src', outDir: 'dist', types: [] };
const tsconfig = JSON.stringify({ compilerOptions: { ...compilerOptions, composite: true }, include: ['src'] });

let root: PlantedRoot | undefined;
afterEach(() => root?.remove());

function plant(files: Readonly<Record<string, string>> = {}): PlantedRoot {
  root = plantRoot({ 'tsconfig.json': tsconfig, 'src/a.ts': source, 'src/b.ts': source, ...files });
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(join(repository, name), join(root.folder, name));
  }
  return root;
}

/** Everything there but the compiled sources. */
function plantInstalled(): { readonly root: PlantedRoot; readonly env: NodeJS.ProcessEnv } {
  const installed = plant();
  shareNodeModules(installed);
  const cli = findTemporalCli(repository);
  if (cli === undefined) throw new Error('these tests need a Temporal CLI: run `node scripts/bootstrap.mjs`');
  return { root: installed, env: { ROK_TEMPORAL_CLI: cli } };
}

describe('bootstrap', () => {
  it('compiles what is not compiled, says so on stderr only, and the second time does and says nothing', () => {
    const { root: installed, env } = plantInstalled();
    const first = installed.run('scripts/bootstrap.mjs', [], env);
    expect(first).toEqual({ exitCode: 0, stdout: '', stderr: 'rok: compiling (tsc -b) …\n', lastLine: '' });
    expect(readFileSync(join(installed.folder, 'dist/a.js'), 'utf8')).toContain('one = 1');
    const second = installed.run('scripts/bootstrap.mjs', [], env);
    expect(second).toEqual({ exitCode: 0, stdout: '', stderr: '', lastLine: '' });
  });

  it('names a ROK_TEMPORAL_CLI that is none, says what to do, and before tests still ends in the counts', () => {
    const { root: installed } = plantInstalled();
    const env = { ROK_TEMPORAL_CLI: process.execPath, npm_lifecycle_event: 'pretest' };
    const { exitCode, lastLine, stderr } = installed.run('scripts/bootstrap.mjs', [], env);
    expect({ exitCode, lastLine }).toEqual({ exitCode: 1, lastLine: '0 passed, 1 failed' });
    expect(stderr).toContain(`ROK_TEMPORAL_CLI is \`${process.execPath}\``);
    expect(stderr).toContain('rok: what to do: set ROK_TEMPORAL_CLI to a Temporal CLI, or unset it');
  });
});

describe('the folder of the checkout', () => {
  (process.getuid?.() === 0 ? it : it.skip)(
    'that user postgres cannot enter is named before anything is installed, and what to do',
    () => {
      const closed = plant();
      chmodSync(closed.folder, 0o700);
      mkdirSync(join(closed.folder, 'checkout-in-it'));
      expect(() => {
        requireEnterable(join(closed.folder, 'checkout-in-it'), 0);
      }).toThrow(`user \`postgres\` cannot enter \`${closed.folder}\``);
      expect(() => {
        requireEnterable(closed.folder, 1000);
      }).not.toThrow();
      chmodSync(closed.folder, 0o711);
      expect(() => {
        requireEnterable(join(closed.folder, 'checkout-in-it'), 0);
      }).not.toThrow();
    },
  );
});

describe('the version of Node', () => {
  it.each(['20.19.0', '20.20.2', '22.1.0', '24.0.0'])('%s is new enough', (version) => {
    expect(() => requireNode(repository, version)).not.toThrow();
  });

  it.each(['20.18.3', '18.20.8', '9.99.99'])('%s is refused in one sentence', (version) => {
    expect(() => requireNode(repository, version)).toThrow(
      `ROK needs Node 20.19.0 or newer, and this is Node ${version}`,
    );
  });
});

describe('the compiled sources', () => {
  it('are out of date after a change, and lose what has no source any more', () => {
    const { root: installed } = plantInstalled();
    const { folder } = installed;
    build(folder);
    expect(buildIsCurrent(folder)).toBe(true);
    rmSync(join(folder, 'src/b.ts'));
    expect(buildIsCurrent(folder)).toBe(false);
    build(folder);
    expect(['a.js', 'b.js', 'b.d.ts'].map((file) => existsSync(join(folder, 'dist', file)))).toEqual([
      true,
      false,
      false,
    ]);
    installed.write('src/a.ts', 'export const one: string = 1;\n');
    expect(() => build(folder)).toThrow('the sources do not compile');
    expect(buildIsCurrent(folder)).toBe(false);
  });
});

describe('the dependencies', () => {
  const locked = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '2.0.0', optional: true },
  };

  it.each([
    ['nothing was installed', undefined, false],
    ['all is there', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0' } }, true],
    ['only what is for another platform is not', { 'node_modules/a': { version: '1.0.0' } }, true],
    ['one is missing', { 'node_modules/b': { version: '2.0.0' } }, false],
    ['one is of another version', { 'node_modules/a': { version: '1.0.1' } }, false],
    ['an optional one is of another version', { ...locked, 'node_modules/b': { version: '1.9.0' } }, false],
  ])('when %s', (_, installed, current) => {
    const planted = plant();
    planted.write('package-lock.json', JSON.stringify({ packages: locked }));
    if (installed) planted.write('node_modules/.package-lock.json', JSON.stringify({ packages: installed }));
    expect(dependenciesAreCurrent(planted.folder)).toBe(current);
  });
});

describe('a Temporal CLI', () => {
  it('is taken from PATH before the cache, and another program of that name is passed over', () => {
    const { folder } = plant();
    const real = findTemporalCli(repository) ?? '';
    for (const place of ['other', 'path', '.rok/bin']) mkdirSync(join(folder, place), { recursive: true });
    symlinkSync(process.execPath, join(folder, 'other/temporal'));
    symlinkSync(real, join(folder, '.rok/bin/temporal'));
    const other = { PATH: join(folder, 'other') };
    expect(findTemporalCli(folder, other)).toBe(join(folder, '.rok/bin/temporal'));
    symlinkSync(real, join(folder, 'path/temporal'));
    expect(findTemporalCli(folder, { PATH: `${other.PATH}:${join(folder, 'path')}` })).toBe(
      join(folder, 'path/temporal'),
    );
  });

  it('is not found where there is none', () => {
    expect(findTemporalCli(plant().folder, { PATH: '' })).toBeUndefined();
  });
});

describe('setting up', () => {
  it('is done by one at a time, and a dead process does not hold it', async () => {
    const { folder } = plant();
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} ends`);
    };
    mkdirSync(join(folder, '.rok'));
    // No process has this number: it is above what any kernel gives.
    writeFileSync(join(folder, '.rok/bootstrap.pid'), '99999999');
    await Promise.all([inTurn(folder, work('one')), inTurn(folder, work('two'))]);
    expect(order).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
    expect(existsSync(join(folder, '.rok/bootstrap.pid'))).toBe(false);
  });
});
