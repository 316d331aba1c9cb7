/**
 * Before all tests: starts the stack they share. Plain JavaScript, because jest loads it by Node and not by its own
 * transform. `STACK=none` leaves it out, for tests that need no server.
 */
import './typescript-loader.mjs';

export default async function globalSetup() {
  if (process.env.STACK === 'none') return;
  const { startSharedServers } = await import('./shared-servers.ts');
  // By default a signal ends Node without its exit handlers, which are what tells the servers.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));
  const servers = await startSharedServers();
  process.env.STACK_FILE = servers.file;
  globalThis.sharedServers = servers;
}
