import { expect, it } from '@jest/globals';
import { bindRun, createLogger } from '../../src/platform/logging.js';

function lines(level: 'info' | 'error' = 'info') {
  const written: string[] = [];
  const logger = createLogger({ level, sink: { write: (line) => written.push(line) } });
  return { logger, written, last: () => JSON.parse(written.at(-1) ?? '{}') as Record<string, unknown> };
}

it('given a run, every line of the bound logger names it', () => {
  const { logger, last } = lines();
  bindRun(logger, { run: 'run_1', tenant: 'acme', step: 3 }).info('hello');
  expect(last()).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    pid: process.pid,
    run: 'run_1',
    tenant: 'acme',
    step: 3,
    msg: 'hello',
  });
});

it('given a level, writes nothing below it', () => {
  const { logger, written } = lines('error');
  logger.info('no');
  expect(written).toEqual([]);
});

it('given secrets in fields, bindings, texts and errors, writes none of them', () => {
  const { logger, written } = lines();
  const url = 'postgresql://rok:hunter2@db:5432/rok';
  logger.info({ password: 'hunter2', deep: [{ apiKey: 'hunter2', ROK_SIGNING_KEY: 'hunter2' }] }, `to ${url}`);
  logger.child({ token: 'hunter2' }).info({ headers: { authorization: 'Bearer hunter2hunter2' } });
  logger.error(
    { err: Object.assign(new Error(`no ${url}`), { assertion: 'hunter2' }) },
    'Bearer hunter2hunter2 failed',
  );
  expect(written).toHaveLength(3);
  expect(written.join('')).not.toContain('hunter2');
  expect(written.join('')).toContain('postgresql://rok:[redacted]@db:5432/rok');
});

it('given names that only resemble secrets, leaves them readable', () => {
  const { logger, last } = lines();
  logger.info({ tokens: 12, outputTokens: 5, keys: ['a'], url: 'http://127.0.0.1:80/x' });
  expect(last()).toMatchObject({ tokens: 12, outputTokens: 5, keys: ['a'], url: 'http://127.0.0.1:80/x' });
});
