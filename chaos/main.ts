/**
 * `npm run chaos -- --scenario NAME --seed N [--short] [--minutes M] [--runs N] [--json]`. Real servers, real processes, real harm.
 * Prints what was done and seen; with --json the last line is one JSON object. Exit code 1 where something did not hold, 3
 * where too little harm met work in flight to prove anything.
 */
import { randomInt } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { day } from './day.js';
import { liveness } from './liveness.js';
import { jsonOf, linesOf, resultOf, type Asked, type Result, type Scenario } from './scenario.js';

const scenarios: Readonly<Record<string, { readonly run: Scenario; readonly minutes: number; readonly runs: number }>> =
  {
    liveness: { run: liveness, minutes: 5, runs: 500 },
    // As long as its runs take: minutes are not asked for.
    day: { run: day, minutes: 0, runs: 200 },
  };
/** Of any scenario, in about two minutes with start and healing. */
const SHORT = { minutes: 1.2, runs: 40 } as const;
const EXIT: Readonly<Record<Result, number>> = { pass: 0, fail: 1, INVALID: 3 };

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', default: '' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    runs: { type: 'string' },
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const scenario = Object.hasOwn(scenarios, values.scenario) ? scenarios[values.scenario] : undefined;
const size = values.short ? SHORT : scenario;
const asked: Asked = {
  seed: Number(values.seed ?? randomInt(2 ** 31)),
  minutes: Number(values.minutes ?? size?.minutes),
  runs: Number(values.runs ?? size?.runs),
};
if (scenario === undefined || !Object.values(asked).every((value) => Number.isFinite(value) && value >= 0)) {
  process.stderr.write(`name a scenario: ${Object.keys(scenarios).join(', ')}; seed, minutes and runs are numbers\n`);
  process.exitCode = 2;
} else {
  process.stdout.write(`${values.scenario}, seed ${asked.seed}, ${asked.minutes} minutes, ${asked.runs} runs\n`);
  const answer = await scenario.run(asked);
  process.stdout.write(`${linesOf(answer).join('\n')}\n${resultOf(answer)}\n`);
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  if (values.json) process.stdout.write(`${jsonOf(values.scenario, asked, answer, machine)}\n`);
  process.exitCode = EXIT[resultOf(answer)];
}
