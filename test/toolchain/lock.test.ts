/**
 * package.json and its lock: exact versions, one Temporal, and complete for every platform, so that `npm ci` works on a
 * machine that is not this one.
 */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const versions = z.record(z.string(), z.string()).default({});
const lockedPackage = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  hasInstallScript: z.boolean().default(false),
  dependencies: versions,
  optionalDependencies: versions,
});
const lock = z
  .object({ packages: z.record(z.string(), lockedPackage) })
  .parse(JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')));
const manifest = z
  .object({
    dependencies: versions,
    devDependencies: versions,
    overrides: versions,
    allowScripts: z.record(z.string(), z.boolean()),
  })
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')));

const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** The optional packages named in a lock that it has no entry for: what `npm ci` refuses on other platforms. */
function missingOptional(entries: typeof packages): readonly string[] {
  const present = new Set(entries.map(([path]) => nameOf(path)));
  return entries
    .flatMap(([, { optionalDependencies }]) => Object.keys(optionalDependencies))
    .filter((n) => !present.has(n));
}

describe('the lock file', () => {
  it('has an entry for every optional package of every platform', () => {
    expect(missingOptional(packages)).toEqual([]);
    expect(packages.filter(([path]) => path.includes('node_modules/@swc/core-')).length).toBeGreaterThan(5);
  });

  it('would be refused without one of them', () => {
    const without = packages.filter(([path]) => path !== 'node_modules/@swc/core-darwin-arm64');
    expect(missingOptional(without)).toEqual(['@swc/core-darwin-arm64']);
  });

  it('gives every package a version and a checksum, and names no host', () => {
    expect(packages.filter(([, entry]) => !entry.version || !entry.integrity).map(([path]) => path)).toEqual([]);
    expect(packages.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path)).toEqual([]);
  });

  it('has one version of Temporal', () => {
    const temporal = packages.filter(([path]) => nameOf(path).startsWith('@temporalio/'));
    expect(temporal.length).toBeGreaterThanOrEqual(8);
    expect(new Set(temporal.map(([, { version }]) => version))).toEqual(
      new Set([manifest.dependencies['@temporalio/worker']]),
    );
  });

  it('leaves no install script undecided', () => {
    const scripted = packages.filter(([, entry]) => entry.hasInstallScript).map(([path]) => nameOf(path));
    expect(Object.keys(manifest.allowScripts).sort()).toEqual([...new Set(scripted)].sort());
  });
});

describe('package.json', () => {
  it('names exact versions only', () => {
    const named = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.overrides };
    const loose = Object.entries(named).filter(([, version]) => !/^\d+\.\d+\.\d+(-[0-9a-z.]+)?$/.test(version));
    expect(loose).toEqual([]);
  });
});
