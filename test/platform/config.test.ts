import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { databaseUrlOf, loadConfig, parseConfig } from '../../src/platform/config/config.js';
import { loadKeySet, loadPriceRows, loadPrivateKey } from '../../src/platform/config/files.js';
import { variables } from '../../src/platform/config/variables.js';
import { StartError } from '../../src/platform/start-error.js';
import { temporaryFolder } from '../stack/servers.js';

function refusal(env: NodeJS.ProcessEnv): StartError {
  const result = parseConfig(env);
  if (result.ok) throw new Error('expected a refusal');
  return result.error;
}

describe('parseConfig', () => {
  it('given nothing, assumes STRICT and the three workers, and says that STRICT was assumed', () => {
    expect(parseConfig({ PATH: '/bin', HOME: '/' })).toEqual({
      ok: true,
      value: {
        profile: 'STRICT',
        profileGiven: false,
        databaseUrls: {},
        workers: ['control', 'execute', 'audit'],
        logLevel: 'info',
        providers: {},
      },
    });
  });

  it('given every variable, returns each parsed', () => {
    expect(
      loadConfig({
        GOVERNANCE_PROFILE: 'OBSERVE_ONLY',
        ROK_DATABASE_URL: 'postgresql://rok@db:5432/rok',
        ROK_DATABASE_URL_AUDIT: 'postgres://rok_audit:pw@db/rok',
        ROK_WORKERS: 'audit, audit',
        ROK_TEMPORAL_CLI: '/opt/temporal',
        ROK_CRASH_AT: 'redeem.after',
        ROK_PRICES: 'prices.json',
        ROK_POLICIES: 'policies',
        ROK_AGENTS: 'agents',
        ROK_SIGNING_KEY: 'sign',
        ROK_HEADS: '/mnt/worm/heads.jsonl',
        ROK_ASSERTION_KEY: 'assert',
        ROK_ASSERTION_ISSUER: 'https://issuer',
        ROK_HTTP_ADDR: ':8080',
        ROK_JWKS: 'https://issuer/jwks',
        ROK_METRICS_ADDR: '[::1]:9464',
        ROK_LOG_LEVEL: 'debug',
        OPENAI_API_KEY: 'sk-1',
        OPENAI_BASE_URL: 'http://127.0.0.1:9/v1',
      }),
    ).toEqual({
      profile: 'OBSERVE_ONLY',
      profileGiven: true,
      databaseUrl: 'postgresql://rok@db:5432/rok',
      databaseUrls: { audit: 'postgres://rok_audit:pw@db/rok' },
      workers: ['audit'],
      temporalCli: '/opt/temporal',
      crashAt: 'redeem.after',
      prices: 'prices.json',
      policies: 'policies',
      agents: 'agents',
      signingKey: 'sign',
      heads: '/mnt/worm/heads.jsonl',
      assertionKey: 'assert',
      assertionIssuers: new Map([['https://issuer', 'https://issuer']]),
      httpAddress: { host: '127.0.0.1', port: 8080 },
      jwks: 'https://issuer/jwks',
      metricsAddress: { host: '::1', port: 9464 },
      logLevel: 'debug',
      providers: { openai: { apiKey: 'sk-1', baseUrl: 'http://127.0.0.1:9/v1' } },
    });
  });

  it('given an empty variable, takes it as not set', () => {
    expect(loadConfig({ GOVERNANCE_PROFILE: '', ROK_LOG_LEVEL: '' })).toMatchObject({
      profile: 'STRICT',
      logLevel: 'info',
    });
  });

  it('given an unknown ROK_ variable, refuses with its name and what was probably meant', () => {
    const error = refusal({ ROK_DATABSE_URL: 'postgresql://u:hunter2@db/rok' });
    expect(error).toMatchObject({ code: 'config_invalid', exitCode: 1 });
    expect(error.message).toBe('unknown variable `ROK_DATABSE_URL`, did you mean `ROK_DATABASE_URL`');
  });

  it('given an unknown variable that resembles nothing, suggests nothing', () => {
    expect(refusal({ ROK_TEST_STACK: 'x' }).message).toBe('unknown variable `ROK_TEST_STACK`');
  });

  it('given an unknown profile, refuses with the known ones and the nearest', () => {
    expect(refusal({ GOVERNANCE_PROFILE: 'STRIKT' }).message).toBe(
      '`GOVERNANCE_PROFILE` is `STRIKT`, expected one of STRICT, STANDARD, OBSERVE_ONLY, did you mean `STRICT`',
    );
  });

  it('given several mistakes, names all of them in one line', () => {
    const { message } = refusal({ ROK_NOPE: '1', ROK_WORKERS: 'control,auditor', ROK_METRICS_ADDR: '99999' });
    expect(message).toBe(
      'unknown variable `ROK_NOPE`; `ROK_WORKERS` is `control,auditor`, expected one of control, execute, audit, http; ' +
        '`ROK_METRICS_ADDR` is `99999`, expected host:port',
    );
  });

  it('given a wrong value that may hold a secret, does not repeat it anywhere', () => {
    const error = refusal({ ROK_DATABASE_URL: 'mysql://u:hunter2@db/rok', ROK_SIGNING_KEY: 'hunter2'.repeat(10_000) });
    expect(error.message).toContain('`ROK_DATABASE_URL` is not a URL like');
    expect(error.message).toContain('`ROK_SIGNING_KEY` is not a path of at most 4096 characters');
    expect(`${error.message}${error.hint}${error.stack ?? ''}${JSON.stringify(error)}`).not.toContain('hunter2');
  });

  it.each(Object.keys(variables).filter((name) => name !== 'ROK_ASSERTION'))(
    'given a private key in %s itself, refuses it and does not repeat it anywhere',
    (name) => {
      const keys = [
        '{"kty":"OKP","crv":"Ed25519","d":"hunter2","x":"hunter2","kid":"k"}',
        '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n',
        'eyJhbGciOiJFZERTQSJ9.hunter2.hunter2',
        `sk-live-hunter2-${'0'.repeat(40)}\n`,
      ];
      for (const key of keys) {
        const error = refusal({ [name]: key });
        expect(error.message).toContain(`\`${name}\` is not `);
        expect(`${error.message}${error.hint}${error.stack ?? ''}${JSON.stringify(error)}`).not.toContain('hunter2');
      }
    },
  );

  it.each([
    ['ROK_SIGNING_KEY', (text: string) => loadPrivateKey(text, 'ROK_SIGNING_KEY')],
    ['ROK_ASSERTION_KEY', (text: string) => loadPrivateKey(text, 'ROK_ASSERTION_KEY')],
    ['ROK_JWKS', loadKeySet],
    ['ROK_PRICES', loadPriceRows],
  ])(
    'given a key where %s names a file, does not repeat it either, nor what a file of it holds',
    async (name, load) => {
      const folder = await temporaryFolder('config');
      const broken = join(folder, 'broken.json');
      await writeFile(broken, 'hunter2 is no JSON');
      const forms = [
        '{"kty":"OKP","d":"hunter2"}',
        'sk-live-hunter2',
        'aHVudGVyMg/hunter2==',
        'eyJh.hunter2.x',
        broken,
      ];
      for (const form of forms) {
        const refused = await load(form).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(StartError);
        expect((refused as StartError).message).toContain(`\`${name}\``);
        expect(inspect(refused, { depth: 9 })).not.toContain('hunter2');
      }
      await rm(folder, { recursive: true });
    },
  );
});

describe('databaseUrlOf', () => {
  it("prefers the login's own URL, then the shared one, and otherwise says what to set", () => {
    const config = loadConfig({
      ROK_DATABASE_URL: 'postgresql://a@db/x',
      ROK_DATABASE_URL_READ: 'postgresql://b@db/x',
    });
    expect([databaseUrlOf(config, 'read'), databaseUrlOf(config, 'audit')]).toEqual([
      'postgresql://b@db/x',
      'postgresql://a@db/x',
    ]);
    expect(() => databaseUrlOf(loadConfig({}), 'audit')).toThrow('no database is named for login `rok_audit`');
  });
});
