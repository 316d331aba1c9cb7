/** Run by tests as a process of its own that they kill: starts one server, says where, and waits or exits. */
import { startPostgres } from '../../src/platform/local/postgres.js';
import { startTemporal } from '../../src/platform/local/temporal-server.js';
import { temporalCli } from '../stack/servers.js';

const [kind, path = '', mode] = process.argv.slice(2);

async function start() {
  if (kind === 'temporal') {
    const server = await startTemporal({ cli: await temporalCli(), dbFile: path, namespaces: ['kept'] });
    return { pid: server.pid, url: server.address, stop: () => server.stop() };
  }
  const server = await startPostgres({ dataDir: path });
  return { pid: server.pid, url: server.adminUrl('postgres'), stop: () => server.stop() };
}

const { pid, url, stop } = await start();
process.stdout.write(`${JSON.stringify({ pid, url })}\n`);
if (mode === 'exit-5') {
  await stop();
  process.exitCode = 5;
} else {
  setInterval(() => undefined, 1_000);
}
