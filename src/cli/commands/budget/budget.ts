/** `rok budget …`: the group of the budget commands. Has no command of its own. */
import type { Command } from 'commander';
import { budgetRaise } from './raise.js';
import { budgetShow } from './show.js';
import { ledger } from '../ledger.js';

export function budget(program: Command): void {
  const group = program.command('budget').description('what may be used, and what is');
  for (const register of [budgetShow, budgetRaise, ledger]) register(group);
}
