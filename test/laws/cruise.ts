/**
 * Runs dependency-cruiser with the repository's rules over a tree and returns what it refused, one line each. A child
 * process, because cruising changes the working directory, which the tests beside this one would notice.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Tree } from './planted-offenders.js';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

export interface Refusal {
  readonly rule: string;
  /** `from → to` */
  readonly edge: string;
}

export interface Cruise {
  readonly modules: number;
  readonly refusals: readonly Refusal[];
}

const report = z.object({
  totalCruised: z.number(),
  violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
});

/** Runs in the child: cruise src/ of the working directory, and print the summary. */
const program = `
  import { cruise } from 'dependency-cruiser';
  import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
  import rules from '${pathToFileURL(join(repository, '.dependency-cruiser.cjs')).href}';
  const { enhancedResolveOptions, tsConfig, ...options } = rules.options;
  const { output } = await cruise(
    ['src'],
    { ...options, tsConfig, validate: true, ruleSet: { forbidden: rules.forbidden } },
    enhancedResolveOptions,
    { tsConfig: extractTSConfig(tsConfig.fileName) },
  );
  process.stdout.write(JSON.stringify(output.summary));
`;

export async function cruiseTree(folder: string): Promise<Cruise> {
  const args = ['--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  const { totalCruised, violations } = report.parse(JSON.parse(stdout));
  const refusals = violations.map(({ from, to, rule }) => ({ rule: rule.name, edge: `${from} → ${packageOf(to)}` }));
  return { modules: totalCruised, refusals };
}

/** Writes the tree where nothing else lies, with the repository's packages, and cruises it. */
export async function cruisePlanted(tree: Tree): Promise<Cruise> {
  const folder = await mkdtemp(join(tmpdir(), 'rok-laws-'));
  try {
    for (const [path, text] of Object.entries(tree)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    for (const name of ['package.json', 'tsconfig.json']) await copyFile(join(repository, name), join(folder, name));
    await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'), 'dir');
    return await cruiseTree(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The package's name for a path inside it, whichever of its files an import found; any other path as it is. */
function packageOf(path: string): string {
  return /(?:^|\/)node_modules\/(?:@types\/)?((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? path;
}
