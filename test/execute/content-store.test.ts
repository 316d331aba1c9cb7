import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { contextDigest, type ContextEntry, type ContextRef } from '../../src/domain/context.js';
import { uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import { loadConversation, storeContext } from '../../src/execute/content/context-chain.js';
import { contentOf, loadContents, makeSalt, putContents } from '../../src/execute/content/content-store.js';
import { createRig, type Rig } from './rig.js';

let rig: Rig;
let run: RunId;
let salt: Uint8Array;
beforeAll(async () => {
  rig = await createRig();
  run = await rig.openRun();
  salt = await makeSalt(rig.execute, run);
});
afterAll(() => rig.close());

const said = (role: ContextEntry['role'], text: string): { entry: ContextEntry; text: string } => ({
  entry: { role, content: contentOf(salt, role === 'tool' ? 'output' : 'user', text).digest },
  text,
});

describe('the content store', () => {
  it('gives each run one salt, whoever asks first', async () => {
    const other = await rig.openRun();
    const salts = await Promise.all([1, 2, 3].map(() => makeSalt(rig.execute, other)));
    expect(new Set(salts.map((each) => Buffer.from(each).toString('hex'))).size).toBe(1);
    expect(Buffer.from(salts[0] ?? []).equals(Buffer.from(salt))).toBe(false);
  });

  it('names the same text differently in another run and as another kind', () => {
    const digests = [
      contentOf(salt, 'user', 'a'),
      contentOf(salt, 'output', 'a'),
      contentOf(Buffer.alloc(32), 'user', 'a'),
    ];
    expect(new Set(digests.map((content) => content.digest)).size).toBe(3);
  });

  it('stores once and gives back bytes, kind and counts', async () => {
    const content = contentOf(salt, 'arguments', '{"order":"ä\u0000"}'.replace('\u0000', '\\u0000'));
    await putContents(rig.execute, run, [content, content]);
    await putContents(rig.execute, run, [content]);
    const loaded = await loadContents(rig.execute, run, [content.digest]);
    expect([...loaded.contents]).toEqual([[content.digest, { kind: 'arguments', text: '{"order":"ä\\u0000"}' }]]);
    const decide = await rig.stack.admin.query(
      `SELECT c.kind, c.byte_count, c.token_count, a.arguments FROM execute.v_contents c
       JOIN execute.v_arguments a USING (run_id, digest) WHERE c.run_id = $1 AND c.digest = $2`,
      [uuidOf(run), content.digest],
    );
    expect(decide).toEqual([{ kind: 'arguments', byte_count: 20, token_count: 36, arguments: '{"order":"ä\\u0000"}' }]);
  });

  it('refuses content that is not there', async () => {
    const never = contentOf(salt, 'user', 'never stored').digest;
    await expect(loadContents(rig.execute, run, [never])).rejects.toMatchObject({ code: 'content_missing' });
  });

  it('refuses content whose bytes were changed behind its back', async () => {
    const content = contentOf(salt, 'user', 'pay 10');
    await putContents(rig.execute, run, [content]);
    const { admin } = rig.stack;
    const change = `UPDATE execute.contents SET bytes = 'pay 99' WHERE digest = '${content.digest}'`;
    await expect(admin.query(change)).rejects.toMatchObject({ code: '55000' });
    await admin.transaction(async (sql) => {
      await sql.query('SET LOCAL session_replication_role = replica');
      await sql.query(change);
    });
    await expect(loadContents(rig.execute, run, [content.digest])).rejects.toMatchObject({
      code: 'content_changed',
    });
  });
});

describe('a conversation', () => {
  it('comes back whole from its chain, and counts over all of it', async () => {
    const texts = [said('system', 'be kind'), said('user', 'hello'), said('assistant', 'hi'), said('tool', 'out')];
    await putContents(rig.execute, run, [
      ...texts.slice(0, 3).map(({ text }) => contentOf(salt, 'user', text)),
      contentOf(salt, 'output', 'out'),
    ]);
    const [system, user, assistant, tool] = texts.map(({ entry }) => entry) as [
      ContextEntry,
      ContextEntry,
      ContextEntry,
      ContextEntry,
    ];
    const first = await storeContext(rig.execute, run, { base: null, added: [system, user] });
    const second = await storeContext(rig.execute, run, { base: first, added: [assistant] });
    await storeContext(rig.execute, run, { base: first, added: [assistant] });
    const head: ContextRef = { base: second, added: [{ ...tool, callId: 'c1', skill: 'orders.lookup' }] };
    expect((await loadConversation(rig.execute, run, head)).entries).toEqual([
      { role: 'system', text: 'be kind' },
      { role: 'user', text: 'hello' },
      { role: 'assistant', text: 'hi' },
      { role: 'tool', text: 'out', callId: 'c1', skill: 'orders.lookup' },
    ]);
    expect(await storeContext(rig.execute, run, head)).toBe(contextDigest(head));
    const counts = await rig.stack.admin.query(
      'SELECT byte_count, token_count FROM execute.v_contexts WHERE run_id = $1 ORDER BY byte_count',
      [uuidOf(run)],
    );
    // A message costs more than its bytes: its template's words around it.
    expect(counts).toEqual(
      [12n, 14n, 17n].map((count, at) => ({ byte_count: count, token_count: count + BigInt(16 * (at + 2)) })),
    );
  });

  it('is not stored on a base or with an entry that is not there', async () => {
    const { entry } = said('user', 'hello');
    const gone = 'f'.repeat(64) as Digest;
    const missing = { code: 'content_missing' };
    await expect(storeContext(rig.execute, run, { base: gone, added: [entry] })).rejects.toMatchObject(missing);
    const unstored = { base: null, added: [said('user', 'never stored').entry] };
    await expect(storeContext(rig.execute, run, unstored)).rejects.toMatchObject(missing);
    await expect(loadConversation(rig.execute, run, { base: gone, added: [] })).rejects.toMatchObject(missing);
  });
});
