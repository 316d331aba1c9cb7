/** A plain Temporal client starts a governed run and prints its result. Of ROK it knows three names and the spec's shape. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';

const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233' });
const client = new Client({ connection, namespace: process.env['TEMPORAL_NAMESPACE'] ?? 'default' });
const [agent = 'refund-desk', input = 'Please handle the refunds.'] = process.argv.slice(2);
const spec = { tenant: 'acme', agent, input, actor: { local: 'alice' } };
const workflowId = `rok/${spec.tenant}/${randomUUID()}`;
const result: unknown = await client.workflow.execute('governedRun', {
  taskQueue: 'rok-control',
  workflowId,
  args: [spec],
});
console.log(JSON.stringify(result));
await connection.close();
