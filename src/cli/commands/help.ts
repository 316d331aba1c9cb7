/** `rok help [topic]`: the overview, one command's help, or the exit codes. */
import type { Command } from 'commander';
import { RokError } from '../../domain/errors.js';
import { EXIT_CODES } from '../output/exit-codes.js';
import { printerOf } from '../session/io.js';

export function help(program: Command): void {
  program
    .command('help')
    .argument('[topic...]', 'a command, or `exit-codes`')
    .description('help for a command, or `rok help exit-codes`')
    .action((topic: readonly string[], _options: unknown, self: Command) => {
      const print = printerOf(self);
      if (topic[0] === 'exit-codes') {
        if (print.json) print.object(EXIT_CODES);
        else for (const [code, means] of Object.entries(EXIT_CODES)) print.data(`${code.padStart(3)}  ${means}`);
        return;
      }
      print.data(commandOf(program, topic).helpInformation().trimEnd());
    });
}

function commandOf(program: Command, path: readonly string[]): Command {
  let command = program;
  for (const name of path) {
    const next = command.commands.find((one) => one.name() === name);
    if (next === undefined) throw new RokError('usage', `there is no command \`${path.join(' ')}\``, 'see `rok help`');
    command = next;
  }
  return command;
}
