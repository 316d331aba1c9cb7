#!/usr/bin/env node
/** The command line's entry: gives the process's arguments and streams to program.ts and ends with the exit code. */
import { runCommand } from './program.js';
import { written } from './output/written.js';

const exitCode = await runCommand(process.argv.slice(2), { out: process.stdout, err: process.stderr });
await Promise.all([written(process.stdout), written(process.stderr)]);
process.exit(exitCode);
