/**
 * The command line: registers the commands and turns every failure into two lines and an exit code. One file per
 * command; a command that starts servers or workers is loaded only when it runs. main.ts ends the process.
 */
import { DATA_FOLDER } from '../platform/config/environment.js';
import { Command } from 'commander';
import { approvalAnswer } from './commands/approval/answer.js';
import { approvalList } from './commands/approval/list.js';
import { budget } from './commands/budget/budget.js';
import { decisionShow } from './commands/decision/show.js';
import { dev } from './commands/dev/dev.js';
import { doctor } from './commands/doctor/doctor.js';
import { exportCommand } from './commands/export.js';
import { failureOf } from './output/failure.js';
import { halt } from './commands/halt.js';
import { help } from './commands/help.js';
import { init } from './commands/init/init.js';
import { keyMake } from './commands/key/make.js';
import { ledger } from './commands/ledger.js';
import { migrateCommand } from './commands/migrate.js';
import { policyDiff } from './commands/policy/diff.js';
import { policyLint } from './commands/policy/lint.js';
import { policyPublish } from './commands/policy/publish.js';
import { policyReport } from './commands/policy/report.js';
import { policyTest } from './commands/policy/test.js';
import { reconcile } from './commands/reconcile.js';
import { runList } from './commands/run/list.js';
import { runShow } from './commands/run/show.js';
import { runStart } from './commands/run/start.js';
import { runSteer } from './commands/run/verbs.js';
import { runWait } from './commands/run/wait.js';
import { runWatch } from './commands/run/watch.js';
import { token } from './commands/token.js';
import { verify } from './commands/verify.js';

import { attachIo, type Io } from './session/io.js';

/** @param args without the program's own name @returns the exit code */
export async function runCommand(args: readonly string[], io: Io): Promise<number> {
  const program = createProgram(io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    const { json, verbose } = program.opts<{ json?: boolean; verbose?: boolean }>();
    const { exitCode, code, lines } = failureOf(error, verbose ?? false);
    if (lines.length > 0)
      io.err.write(
        json === true
          ? `${JSON.stringify({ error: code, message: lines[0], hint: lines[1] })}\n`
          : `${lines.join('\n')}\n`,
      );
    return exitCode;
  }
}

function createProgram(io: Io): Command {
  const program = new Command('rok')
    .description('governed, durable runs of LLM agents')
    .version('0.1.0')
    .option('--json', 'one JSON text per line on stdout')
    .option('--verbose', 'show the stack of a failure')
    .option('--data <folder>', 'where `rok dev` keeps its data, and finds it again', DATA_FOLDER)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out.write(text), writeErr: (text) => io.err.write(text) });
  attachIo(program, io);
  for (const register of [dev, init, migrateCommand, doctor]) register(program);
  const run = program.command('run').description('start, see and steer runs');
  for (const register of [runStart, runList, runShow, runWatch, runWait, runSteer]) register(run);
  const approval = program.command('approval').description('what waits for an answer, and the answers');
  for (const register of [approvalList, approvalAnswer]) register(approval);
  const decision = program.command('decision').description('what was decided, and why');
  decisionShow(decision);
  halt(program);
  for (const register of [budget, ledger]) register(program);
  const policy = program.command('policy').description('check policy sets, and put them in force');
  for (const register of [policyLint, policyTest, policyDiff, policyPublish, policyReport]) register(policy);
  const key = program.command('key').description('keys that sign receipts and assertions');
  keyMake(key);
  for (const register of [token, reconcile, exportCommand, verify, help]) register(program);
  return program;
}
