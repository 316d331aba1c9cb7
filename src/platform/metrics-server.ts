/** The metrics endpoint of this process: `GET /metrics` for Prometheus and `GET /healthz`. Nothing else is served. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from './config/variables.js';

export type MetricsSource = { text(): Promise<string>; readonly contentType: string };
export type MetricsServer = { readonly url: string; close(): Promise<void> };

/** Port 0 takes a free one. */
export async function serveMetrics(address: Address, source: MetricsSource): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.url === '/healthz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
      return;
    }
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    source.text().then(
      (text) => response.writeHead(200, { 'content-type': source.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${address.host}:${port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}
