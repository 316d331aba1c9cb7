/** After all tests: ends the stack they shared. */
export default async function globalTeardown() {
  await globalThis.sharedServers?.stop();
}
