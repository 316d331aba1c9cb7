/** The workflows' bundle: built by the SDK's own bundler, which refuses what is not deterministic. */
import { describe, expect, it } from '@jest/globals';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const workflows = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));

/** What the bundler writes to its log is where it names what it refuses. */
const bundle = (workflowsPath: string, said: string[] = []) =>
  bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR', ({ message }) => said.push(message)) });

/** Inside the repository, where packages are found, and where no other law looks. */
async function plantedFolder(): Promise<string> {
  const local = fileURLToPath(new URL('../../.rok', import.meta.url));
  await mkdir(local, { recursive: true });
  return mkdtemp(join(local, 'planted-'));
}

async function bundlePlanted(text: string): Promise<string> {
  const folder = await plantedFolder();
  try {
    const file = join(folder, 'workflows.ts');
    await writeFile(file, text);
    const said: string[] = [];
    return await bundle(file, said).then(
      () => 'accepted',
      (error: unknown) => [...said, String(error)].join('\n'),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('the workflows', () => {
  it('are bundled as they are, with every type in the bundle', async () => {
    const { code } = await bundle(workflows);
    for (const type of ['administer', 'governedRun', 'repair']) expect(code).toContain(type);
  });

  it.each([
    [
      'node:fs',
      'Reading from "node:fs" is not handled',
      `import { readFileSync } from 'node:fs';\nexport async function planted() { return readFileSync('/etc/hostname', 'utf8'); }`,
    ],
    ['net', "- 'net'", `import net from 'net';\nexport async function planted() { return net.isIP('::1'); }`],
    ['pg', "- 'net'", `import pg from 'pg';\nexport async function planted() { return new pg.Client(); }`],
  ])('that import %s are refused', async (_name, says, text) => {
    expect(await bundlePlanted(text)).toContain(says);
  });

  it('that import what is deterministic are not', async () => {
    expect(
      await bundlePlanted(
        `import { sleep } from '@temporalio/workflow';\nexport async function planted() { await sleep(1); }`,
      ),
    ).toBe('accepted');
  });
});

/** Every exported workflow type must end in decide.finalize: through governed(), or as the close itself does. */
async function typesWithoutWayOut(index: string): Promise<readonly string[]> {
  const exported = [...(await readFile(index, 'utf8')).matchAll(/export \{ ([^}]+) \} from '(\.\/[^']+)\.js'/g)];
  const found: string[] = [];
  for (const [, names = '', path = ''] of exported) {
    const text = await readFile(join(dirname(index), `${path}.ts`), 'utf8');
    for (const name of names.split(',').map((one) => one.trim())) {
      const body = new RegExp(`export async function ${name}\\([\\s\\S]*?\\n\\}\\n`).exec(text)?.[0] ?? '';
      // Repair adopts a run that lost its workflow, and closes it; reconcile governs nothing; administer asks one thing, and
      // tells the run whose steering it carried to look.
      const asks =
        /\{\n {2}const answer = await administering\['decide\.administer'\]\(request\);\n {2}if \(.+\) await tell\(answer\.workflowId\);\n {2}return answer;\n\}/;
      const way = { repair: /return close\(/, reconcile: /./, administer: asks }[name] ?? /return governed\(/;
      if (!way.test(body)) found.push(name);
    }
  }
  return exported.length === 0 ? ['(none exported)'] : found;
}

describe('every workflow type', () => {
  it('goes through governed(), or closes what it repairs', async () => {
    expect(await typesWithoutWayOut(workflows)).toEqual([]);
  });

  it('that does not is found', async () => {
    const folder = await plantedFolder();
    try {
      await writeFile(join(folder, 'index.ts'), `export { stray } from './stray.js';\n`);
      await writeFile(join(folder, 'stray.ts'), `export async function stray() {\n  return 1;\n}\n`);
      expect(await typesWithoutWayOut(join(folder, 'index.ts'))).toEqual(['stray']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
