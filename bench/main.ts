/**
 * `npm run bench -- NAME [--json] [--runs N] [--closed N] [--profile]`. Prints figures with their goals; with --json the last line is one
 * JSON object. The exit code is 1 when a goal is missed.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { decide } from './decide.js';
import { jsonOf, linesOf, passes, type Benchmark } from './figures.js';
import { judge } from './judge.js';
import { ledger } from './ledger.js';
import { overhead } from './overhead.js';
import { trace } from './trace.js';

/** `runs` means what each makes of it; not given, each has its own. */
type Options = { readonly runs?: number; readonly closed?: number; readonly profile: boolean };
const benchmarks: Readonly<Record<string, (options: Options) => Promise<Benchmark>>> = {
  decide,
  overhead,
  judge,
  ledger,
  trace,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    runs: { type: 'string' },
    closed: { type: 'string' },
  },
});
const run = Object.hasOwn(benchmarks, positionals[0] ?? '') ? benchmarks[positionals[0] ?? ''] : undefined;
if (run === undefined) {
  process.stderr.write(`name a benchmark: ${Object.keys(benchmarks).join(', ')}\n`);
  process.exitCode = 2;
} else {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const done = await run({
    ...(values.runs === undefined ? {} : { runs: Number(values.runs) }),
    ...(values.closed === undefined ? {} : { closed: Number(values.closed) }),
    profile: values.profile,
  });
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  const benchmark = { ...done, settings: { ...done.settings, machine } };
  process.stdout.write(`${linesOf(benchmark).join('\n')}\n`);
  if (values.json) process.stdout.write(`${jsonOf(benchmark)}\n`);
  process.exitCode = benchmark.figures.every(passes) ? 0 : 1;
}
