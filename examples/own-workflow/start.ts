/** Starts the workflow of workflow.ts as any Temporal client would, and prints what it returns. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import type { sendInvoices } from './workflow.js';

const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233' });
const client = new Client({ connection, namespace: process.env['TEMPORAL_NAMESPACE'] ?? 'default' });
const answer = await client.workflow.execute<typeof sendInvoices>('sendInvoices', {
  taskQueue: 'rok-control',
  workflowId: `rok/acme/${randomUUID()}`,
  args: [
    { tenant: 'acme', agent: 'invoice-sender', input: 'invoices of January', actor: { local: 'alice' } },
    [
      { number: 'I-1', customer: 'Sample Cafe Chain', cents: 4200 },
      { number: 'I-2', customer: 'Sample Hotels', cents: 9_900_000 },
      { number: 'I-3', customer: 'Sample Offices', cents: 12_500 },
    ],
  ],
});
console.log(JSON.stringify(answer));
await connection.close();
