/** What Temporal answers to an update whose run ends before the update was taken. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { say } from '../../src/client/send-message.js';
import { createStack, type Stack } from '../stack/stack.js';

let stack: Stack;
let connection: Connection;
let client: Client;
beforeAll(async () => {
  stack = await createStack();
  connection = await Connection.connect({ address: stack.temporalAddress });
  client = new Client({ connection, namespace: stack.namespace });
});
afterAll(async () => {
  await connection.close();
  await stack.drop();
});

/** An execution that no worker ever takes. */
const started = () =>
  client.workflow.start('governedRun', { taskQueue: `nobody-${randomUUID()}`, workflowId: randomUUID(), args: [] });

it('a message that is on its way when the run ends is told that it has ended, not that there is none', async () => {
  const handle = await started();
  const answer = say(client, handle, 'kill', {}, randomUUID()).catch((error: unknown) => error);
  // The update is in the server as soon as a poll for its outcome is: a terminate that comes first is the same to the caller.
  await new Promise((resolve) => setImmediate(resolve));
  await handle.terminate('to see what a message that waits is told');
  expect(await answer).toMatchObject({ code: 'run_closed' });
});

it('a message to a run that never was is told so', async () => {
  const handle = client.workflow.getHandle(randomUUID());
  expect(await say(client, handle, 'kill', {}, randomUUID()).catch((error: unknown) => error)).toMatchObject({
    code: 'run_unknown',
  });
});
