#!/usr/bin/env node
/** The command line's entry: gives the process's arguments and streams to program.ts and ends with the exit code. */
import { runCommand } from './program.js';

process.exit(await runCommand(process.argv.slice(2), { out: process.stdout, err: process.stderr }));
