/**
 * docker-compose.yml: who is given what, which is what separates the powers in production; and, where docker-compose is
 * installed, that it accepts the file.
 */
import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { repository } from './planted-root.js';

const service = z.object({
  image: z.string(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
});
const text = readFileSync(join(repository, 'docker-compose.yml'), 'utf8');
const { services } = z.object({ services: z.record(z.string(), service) }).parse(parse(text, { merge: true }));

const exampleNames = readFileSync(join(repository, 'ops/compose.env.example'), 'utf8').match(/^[A-Z_]+(?==)/gm) ?? [];

const composeCommand = [
  ['docker-compose', 'version'],
  ['docker', 'compose', 'version'],
].find(([program = '', ...args]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0);

function configCheck(env: NodeJS.ProcessEnv) {
  const [program = '', ...args] = composeCommand?.slice(0, -1) ?? [];
  const { status, stderr } = spawnSync(
    program,
    [...args, '-f', join(repository, 'docker-compose.yml'), 'config', '-q'],
    {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    },
  );
  return { status, stderr };
}

function given(name: string, pattern: RegExp): readonly string[] {
  return Object.keys(services[name]?.environment ?? {}).filter((variable) => pattern.test(variable));
}

describe('docker-compose.yml', () => {
  it('gives each worker its own logins and nobody else’s, and the owner’s to migrate alone', () => {
    const urls = Object.keys(services).map((name) => [name, given(name, /^ROK_DATABASE_URL/)] as const);
    expect(Object.fromEntries(urls.filter(([, variables]) => variables.length > 0))).toEqual({
      control: ['ROK_DATABASE_URL_DECIDE', 'ROK_DATABASE_URL_OBSERVE'],
      execute: ['ROK_DATABASE_URL_EXECUTE'],
      audit: ['ROK_DATABASE_URL_AUDIT'],
      migrate: ['ROK_DATABASE_URL'],
    });
  });

  it('gives provider keys to execute alone and the signing key to audit alone', () => {
    const keys = Object.keys(services).map((name) => [name, given(name, /_KEY$/)] as const);
    expect(Object.fromEntries(keys.filter(([, variables]) => variables.length > 0))).toEqual({
      execute: ['OPENAI_API_KEY'],
      audit: ['ROK_SIGNING_KEY'],
    });
  });

  it('holds no secret: each password and key comes from outside, and ops/compose.env.example names it', () => {
    const secret = /PASSWORD|_PWD$|_KEY$/;
    const values = Object.values(services).flatMap(({ environment }) => Object.entries(environment));
    expect(
      values.filter(([name, value]) => secret.test(name) && !value.startsWith('${')).map(([name]) => name),
    ).toEqual([]);
    expect(values.filter(([, value]) => /:\/\/[^:]+:(?!\$\{)[^@]+@/.test(value)).map(([name]) => name)).toEqual([]);
    const asked = new Set([...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name));
    expect([...asked].sort()).toEqual([...exampleNames].sort());
  });

  it('pins every image, mounts only what is there, and publishes to this machine only', () => {
    const all = Object.values(services);
    expect(all.filter(({ image }) => !/:v?\d+\.\d+/.test(image)).map(({ image }) => image)).toEqual([]);
    const mounted = all.flatMap(({ volumes }) => volumes).filter((volume) => volume.startsWith('./'));
    expect(mounted.filter((volume) => !existsSync(join(repository, volume.split(':')[0] ?? '')))).toEqual([]);
    expect(all.flatMap(({ ports }) => ports).filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });
});

const whereInstalled = composeCommand === undefined ? it.skip : it;
if (composeCommand === undefined) console.log('skipped: docker-compose is not installed, its own check was not run');

describe('docker-compose', () => {
  whereInstalled('accepts the file when every variable of the example is set', () => {
    const env = Object.fromEntries(exampleNames.map((name) => [name, 'given']));
    expect(configCheck(env)).toEqual({ status: 0, stderr: '' });
  });

  whereInstalled('refuses it without a password, and says which', () => {
    const { status, stderr } = configCheck({});
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/password/);
  });
});
