import { describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT_CODES, exitCodeOf } from '../../src/cli/output/exit-codes.js';
import { failureOf } from '../../src/cli/output/failure.js';
import { plain, table } from '../../src/cli/output/print.js';
import { ERRORS, RokError, type ErrorCode } from '../../src/domain/errors.js';
import { freePorts } from '../../src/platform/local/free-port.js';
import { rok, run, saying } from './rig.js';

describe('exit codes', () => {
  it.each([
    ['EXECUTING', null, null, 8],
    ['COMPLETED', 'succeeded', 'COMPLETE', 0],
    ['COMPLETED', 'succeeded', null, 0],
    ['COMPLETED', 'succeeded', 'INCOMPLETE', 6],
    ['FAILED', 'denied', 'COMPLETE', 5],
    ['FAILED', 'forced', 'STALE', 6],
  ] as const)('of a run in %s, outcome %s, verdict %s: %i', (phase, outcome, verdict, code) => {
    expect(exitCodeOf({ phase, outcome, verdict })).toBe(code);
  });

  it('are given for every error of the table, with what happened and what to do', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const failure = failureOf(new RokError(code, 'it happened'), false);
      expect(failure).toEqual({ exitCode: ERRORS[code].exit, code, lines: ['it happened', ERRORS[code].says] });
      expect(Object.keys(EXIT_CODES).map(Number)).toContain(failure.exitCode);
    }
  });

  it('are printed by `rok help exit-codes`', async () => {
    const { code, out } = await rok(['help', 'exit-codes', '--json'], {});
    expect({ code, codes: JSON.parse(out) as unknown }).toEqual({ code: 0, codes: { ...EXIT_CODES } });
  });
});

describe('usage', () => {
  it.each([
    [['frob'], "unknown command 'frob'"],
    [['run', 'start', 'x'], '--input'],
    [['run', 'start', 'x', '--input', 'y', '--budget-usd', '-1'], '--budget-usd'],
    [['run', 'start', 'x', '--input', 'y', '--budget-usd', '1e3'], '--budget-usd'],
    [['run', 'start', 'x', '--input', 'y', '--deadline', 'soon'], '--deadline'],
    [['run', 'start', 'x', '--input', 'y', '--profile', 'LAX'], '--profile'],
    [['run', 'start', 'x', '--input', 'y', '--label', 'novalue'], '--label'],
    [['run', 'list', '--limit', '0'], '--limit'],
    [['run', 'wait', 'x', '--timeout', '10'], '--timeout'],
    [['approval', 'approve', 'x', '--digest', 'abc'], '--digest'],
    [['token', '--as', 'bob', '--verb', 'bribe'], '--verb'],
    [['help', 'nothing'], 'there is no command'],
  ])('`rok %j` is exit 2 and names what is wrong', async (args, named) => {
    expect(await rok(args, {})).toMatchObject({ code: 2, out: '', err: saying(named) });
  });
});

describe('servers that are not there', () => {
  it('are named, with where and what to do, and exit 9', async () => {
    const [port] = await freePorts(1);
    const env = {
      ROK_DATABASE_URL_READ: `postgresql://rok_read:secret@127.0.0.1:${port}/rok`,
      TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    };
    expect(await rok(['run', 'list'], env)).toEqual({
      code: 9,
      out: '',
      err: `PostgreSQL at \`127.0.0.1:${port}/rok\` cannot be reached (ECONNREFUSED)\nstart it, or set \`ROK_DATABASE_URL\` to where it runs; \`npm start\` brings one of its own\n`,
    });
    expect(await rok(['reconcile', '--once', '--json'], env)).toMatchObject({
      code: 9,
      out: '',
      err: saying(`"error":"temporal_unreachable","message":"Temporal at \`127.0.0.1:${port}\` cannot be reached"`),
    });
    const doctor = await rok(['doctor'], env);
    expect(doctor).toMatchObject({ code: 1, out: saying(`Temporal at \`127.0.0.1:${port}\` cannot be reached`) });
    expect(doctor.out + doctor.err).not.toContain('secret');
  }, 60_000);

  it('and a variable that nobody knows stops any command', async () => {
    expect(await rok(['run', 'list'], { ROK_DATABSE_URL: 'x' })).toMatchObject({
      code: 1,
      err: saying('unknown variable `ROK_DATABSE_URL`, did you mean `ROK_DATABASE_URL`'),
    });
  });
});

describe('rok init', () => {
  it('writes its files once and never over one that is there; the process ends with exit 0', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rok-init-'));
    try {
      const names = [
        'agents/hello.yaml',
        'agents/scripts/hello.jsonl',
        'policies/default.cedar',
        'skills/words-count.mjs',
      ];
      const first = await run('src/cli/main.ts', ['init', folder, '--json'], {});
      expect({ code: first.code, said: JSON.parse(first.out) as unknown }).toEqual({
        code: 0,
        said: { folder, written: names, kept: [] },
      });
      const before = await readFile(join(folder, names[0] ?? ''), 'utf8');
      const second = await rok(['init', folder, '--json'], {});
      expect(JSON.parse(second.out)).toEqual({ folder, written: [], kept: names });
      expect(await readFile(join(folder, names[0] ?? ''), 'utf8')).toBe(before);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
});

describe('what is printed', () => {
  it('lines up in columns, without what would move a cursor', () => {
    expect(
      table(
        ['a', 'bb'],
        [
          ['one', '2'],
          ['x', ''],
        ],
      ),
    ).toBe('A    BB\none  2\nx');
    expect(plain('a\u001b[2Jb\nc\u009bd')).toBe('a [2Jb c d');
  });
});
