import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RokClient } from '../../src/client.js';
import { asRunId } from '../../src/domain/ids.js';
import type { OpenHold, RunView, ShownText } from '../../src/reader/read.js';
import { createRig, eventually, saying, type Rig } from './rig.js';

/** The last line of what a command printed. */
const json = (text: string): unknown => JSON.parse(text.trim().split('\n').at(-1) ?? '');

let rig: Rig;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.stop());

const start = async (...more: readonly string[]): Promise<string> => {
  const { code, out, err } = await rig.rok(
    'run',
    'start',
    'refund-desk',
    '--input',
    'the refunds',
    '--as',
    'alice',
    ...more,
  );
  expect({ code, err }).toMatchObject({ code: 0 });
  return out.trim();
};
const pending = (run: string): Promise<OpenHold & { readonly run: string }> =>
  eventually(async () => {
    const { out } = await rig.rok('approval', 'list', '--json');
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => json(line) as OpenHold & { run: string })
      .find((hold) => hold.run === run);
  });

describe('a run on the command line', () => {
  it('is started once per id, paused for approval, approved by an assertion for that action, and verified', async () => {
    const run = await start('--tenant', 'acme', '--id', 'first', '--budget-usd', '0.20', '--label', 'goal=refunds');
    expect(run).toMatch(/^run_/);
    const asked = ['--tenant', 'acme', '--id', 'first', '--budget-usd', '0.20', '--label', 'goal=refunds'];
    expect(await start(...asked)).toBe(run);
    const other = await rig.rok(
      'run',
      'start',
      'refund-desk',
      ...asked.slice(0, 6),
      '--as',
      'alice',
      '--input',
      'more',
    );
    expect(other).toMatchObject({ code: 4, err: saying('another input, labels') });

    const hold = await pending(run);
    expect(hold).toMatchObject({ hold: 1, reason: 'APPROVAL_REQUIRED', authority: 'finance', quorum: 1, given: 0 });
    const digest = hold.digest ?? '';
    // What is to be approved can be read wherever it is answered from.
    const called = { digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown, cut: false };
    expect(hold.arguments).toEqual({ ...called, text: expect.stringMatching(/^\{"amount_cents":\d+,/) as unknown });
    const { text = '' } = hold.arguments as { text?: string };
    const listed = await rig.rok('approval', 'list');
    expect(listed.out).toContain(`${text} (digest ${hold.arguments?.digest.slice(0, 12) ?? ''}…)`);
    const held = await rig.rok('run', 'show', run);
    expect(held.out).toContain(`arguments     ${text} (digest `);
    expect(held.out).toContain(`rok approval approve ${run} --digest ${digest} --as <name> --role approver:finance`);
    const decided = await rig.rok('decision', 'show', run, `${hold.step}`, '--json');
    expect(json(decided.out)).toMatchObject({ arguments: { ...called, text } });

    const approve = (...more: readonly string[]) => rig.rok('approval', 'approve', run, ...more);
    expect(await approve('--digest', 'f'.repeat(64), '--as', 'bob', '--role', 'approver:finance')).toMatchObject({
      code: 3,
    });
    expect(await approve('--digest', digest, '--as', 'bob', '--role', 'approver:legal')).toMatchObject({
      code: 4,
      err: saying('needs role approver:finance'),
    });
    expect(await approve('--digest', digest, '--as', 'alice', '--role', 'approver:finance')).toMatchObject({ code: 4 });

    const token = (verb: string) =>
      rig.rok('token', '--run', run, '--verb', verb, '--digest', digest, '--as', 'bob', '--role', 'approver:finance');
    const rejecting = (await token('reject')).out.trim();
    expect(await approve('--digest', digest, '--assertion', rejecting)).toMatchObject({
      code: 4,
      err: saying('the assertion is for another act\n'),
    });
    const approving = (await token('approve')).out.trim();
    expect(await approve('--digest', digest, '--assertion', approving)).toMatchObject({ code: 0, err: '' });

    const waited = await rig.rok('run', 'wait', run, '--json');
    expect({ code: waited.code, view: json(waited.out) }).toMatchObject({
      code: 0,
      view: { run, tenant: 'acme', phase: 'COMPLETED', outcome: 'succeeded', verdict: 'COMPLETE', capMicros: '200000' },
    });

    // Waiting ends with the verdict; its signature is a step of its own.
    const verified = await eventually(async () => {
      const said = await rig.rok('verify', run, '--jwks', rig.keys.receiptKeySet);
      return said.err.includes('has no receipt yet') ? null : said;
    });
    expect(verified).toMatchObject({ code: 0, out: saying('verified: receipt 1') });
    expect(await rig.rok('verify', run)).toMatchObject({
      code: 6,
      out: saying('signer unknown'),
    });
    expect(await rig.rok('verify', run, '--jwks', rig.keys.assertionKeySet)).toMatchObject({
      code: 6,
      out: saying('not trusted'),
    });
    const shown = await rig.rok('run', 'show', run);
    expect(shown.out).toMatch(/^verdict {7}COMPLETE$/m);
    expect(shown.out).toMatch(/^answer {8}\w+/m);
    const answer = (json((await rig.rok('run', 'show', run, '--json')).out) as RunView & { answer: ShownText }).answer;
    expect(shown.out).toContain(answer.text ?? 'no text');
    expect(json(waited.out)).toMatchObject({ answer });
    const watched = await rig.rok('run', 'watch', run);
    expect(watched).toMatchObject({ code: 0 });
    expect(watched.out).toContain(`answer    ${answer.text?.split('\n')[0] ?? 'no text'}`);
    expect(watched.out).toMatch(/decided {3}step \d+: deny skill\.call orders\.refund@1 — policy_forbids/);
  }, 120_000);

  it('is killed only with a reason and by who may, and its end has exit code 5', async () => {
    const run = await start('--tenant', 'acme');
    await pending(run);
    expect(await rig.rok('run', 'kill', run, '--as', 'carol', '--role', 'operator')).toMatchObject({ code: 2 });
    expect(await rig.rok('run', 'kill', run, '--yes', '--reason', 'no', '--as', 'carol')).toMatchObject({ code: 4 });
    const timedOut = await rig.rok('run', 'wait', run, '--timeout', '1s');
    expect(timedOut).toMatchObject({ code: 8, err: saying('goes on') });
    expect(
      await rig.rok(
        'run',
        'kill',
        run,
        '--yes',
        '--reason',
        'a drill',
        '--as',
        'carol',
        '--role',
        'operator',
        '--sign',
      ),
    ).toMatchObject({ code: 0, out: 'kill: done by carol\n' });
    const waited = await rig.rok('run', 'wait', run, '--json');
    expect({ code: waited.code, view: json(waited.out) }).toMatchObject({
      code: 5,
      view: { phase: 'FAILED', outcome: 'killed', verdict: 'COMPLETE' },
    });
    expect(await rig.rok('run', 'cancel', run, '--yes', '--reason', 'late', '--as', 'alice')).toMatchObject({
      code: 5,
    });
  }, 120_000);

  it('is finalized before its deadline by the assertion of an operator; without one that is noted and ignored', async () => {
    const run = await start('--tenant', 'acme', '--id', 'finalized');
    await pending(run);
    const client = await RokClient.connect({ env: rig.env });
    const handle = await client.get(run);
    // Noted once, however often it is said.
    for (const by of ['nobody', 'nobody again']) await handle.finalize(by);
    const finalize = (...more: readonly string[]) =>
      rig.rok('run', 'finalize', run, '--yes', '--reason', 'a drill', '--as', 'carol', ...more);
    expect(await finalize('--role', 'operator')).toMatchObject({ code: 2, err: saying('only an assertion') });
    expect(await finalize('--role', 'approver:finance', '--sign')).toMatchObject({
      code: 4,
      err: saying('`carol` may not finalize: needs role operator or role admin (grants/run.finalize)'),
    });
    expect(await rig.rok('run', 'wait', run, '--timeout', '1s')).toMatchObject({ code: 8 });
    expect(await finalize('--role', 'operator', '--sign')).toMatchObject({ code: 0, out: 'finalize: done\n' });
    const waited = await rig.rok('run', 'wait', run, '--json');
    expect({ code: waited.code, view: json(waited.out) }).toMatchObject({
      code: 5,
      view: { phase: 'FAILED', outcome: 'forced', verdict: 'COMPLETE', detail: 'finalize_run by carol' },
    });
    const trace = await (await client.reader()).trace(asRunId(run));
    await client.close();
    expect(
      trace
        .filter(({ id }) => /^(finalize_run|act)\./.test(id))
        .map(({ id, kind, body }) => [id.split('.')[0], kind, body['actor'], body['verb']]),
    ).toEqual([
      ['finalize_run', 'message.refused', '', 'finalize'],
      ['act', 'message.refused', 'carol', 'finalize'],
      ['act', 'actor.acted', 'carol', 'finalize'],
    ]);
    const acts = await rig.stack.admin.query(
      `SELECT actor, allowed FROM decide.acts WHERE run_id = $1 AND verb = 'finalize' ORDER BY at`,
      [run.slice(4)],
    );
    expect(acts).toEqual([
      { actor: 'carol', allowed: false },
      { actor: 'carol', allowed: true },
    ]);
  }, 120_000);

  it('that nobody has is not found, and a bundle that is none is bad evidence', async () => {
    const unknown = 'run_00000000-0000-7000-8000-000000000000';
    for (const args of [
      ['run', 'show', unknown],
      ['run', 'wait', unknown],
      ['run', 'pause', unknown, '--as', 'alice'],
      ['verify', unknown],
    ])
      expect(await rig.rok(...args)).toMatchObject({
        code: 3,
        out: '',
        err: `no run \`${unknown}\`\nlist them with \`rok run list\`\n`,
      });
    const file = join(rig.folder, 'bundle.json');
    await writeFile(file, '{"version":1}');
    expect(await rig.rok('verify', file, '--offline')).toMatchObject({ code: 6 });
  }, 60_000);
});

describe('rok reconcile --once', () => {
  it('reconciles on the audit worker and prints the sums', async () => {
    const { code, out } = await rig.rok('reconcile', '--once', '--json');
    expect(code).toBe(0);
    expect(Object.keys(json(out) as object).sort()).toEqual(
      ['closed', 'complete', 'incomplete', 'judged', 'nudged', 'signed', 'stale', 'strays'].sort(),
    );
    expect(await rig.rok('reconcile')).toMatchObject({ code: 2 });
  }, 60_000);
});

describe('rok doctor', () => {
  it('finds nothing wrong, and that each login is refused what is not its work', async () => {
    const { code, out } = await rig.rok('doctor', '--json');
    const findings = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { state: string; check: string; found: string });
    expect({ code, bad: findings.filter(({ state }) => state === 'failed') }).toEqual({ code: 0, bad: [] });
    const logins = findings.filter(({ check }) => check.startsWith('login'));
    expect(logins.map(({ check }) => check)).toEqual(
      ['decide', 'observe', 'execute', 'audit', 'read'].map((login) => `login rok_${login}`),
    );
    for (const { found } of logins) expect(found).toContain('refused what is not its work');
  }, 60_000);
});
