/** `rok init [dir]`: writes a project that runs: an agent, its scripted model, a policy, a skill. Never overwrites a file. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { RokError } from '../../../domain/errors.js';
import { INIT_FILES } from './init-files.js';
import { printerOf } from '../../session/io.js';

export function init(program: Command): void {
  program
    .command('init')
    .argument('[dir]', 'where to', '.')
    .description('write agents/, policies/ and skills/ with one working example each')
    .action(async (folder: string, _options: unknown, command: Command) => {
      const print = printerOf(command);
      const written: string[] = [];
      const kept: string[] = [];
      for (const [name, content] of Object.entries(INIT_FILES))
        ((await writeNew(join(folder, name), content)) ? written : kept).push(name);
      if (print.json) {
        print.object({ folder, written, kept });
        return;
      }
      for (const name of written) print.data(`wrote  ${join(folder, name)}`);
      for (const name of kept) print.data(`kept   ${join(folder, name)}`);
      print.say(
        'next: `rok dev` here, and in another terminal `rok run start hello --input "count these four words" --watch`',
      );
    });
}

/** False when there is a file of that name. */
async function writeNew(file: string, content: string): Promise<boolean> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new RokError(
      'usage',
      `\`${file}\` cannot be written (${code ?? message})`,
      'choose a folder that you may write to',
    );
  }
}
