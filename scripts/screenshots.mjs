/**
 * `node scripts/screenshots.mjs [folder]`: takes the pictures of docs/screenshots. Runs `rok dev` with the refund desk in a
 * folder of its own, waits for the pause, photographs the run in Temporal's Web UI, approves as finance would, and
 * photographs the end. Knows ROK by its command line only. Needs a Chromium: CHROMIUM_PATH, or one of the usual places.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { say, sayFailure, SetupError } from './say.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const rok = join(root, 'dist/cli/main.js');
const usualPlaces = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
// A wider page at a smaller scale: pictures of 1400 x 1000 in which no column is cut off.
const viewport = { width: 1750, height: 1250 };
const view = { viewport, deviceScaleFactor: 0.8, colorScheme: 'light' };
const quiet = ['disable-gpu', 'disable-quic', 'no-first-run', 'disable-background-networking'];
const flags = [...quiet, 'disable-component-update', 'disable-sync'].map((name) => `--${name}`);
const waitMs = 60_000;

const out = process.argv[2] ?? join(root, 'docs/screenshots');
const folder = mkdtempSync(join(tmpdir(), 'rok-screenshots-'));
// PostgreSQL may run as another user, who must be able to enter.
chmodSync(folder, 0o755);
try {
  await takeAll(findChromium());
} catch (error) {
  sayFailure(error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function findChromium() {
  const named = process.env.CHROMIUM_PATH;
  const found = named === undefined || named === '' ? usualPlaces.find((path) => existsSync(path)) : named;
  if (found !== undefined && existsSync(found)) return found;
  throw new SetupError(
    found === undefined
      ? 'there is no Chromium in the usual places'
      : `CHROMIUM_PATH is \`${found}\`, which is not there`,
    'install one (Debian: apt-get install chromium), or set CHROMIUM_PATH to it',
  );
}

/** @param {string} executablePath */
async function takeAll(executablePath) {
  if (!existsSync(rok)) throw new SetupError('ROK is not compiled', 'run `node scripts/bootstrap.mjs` first');
  mkdirSync(out, { recursive: true });
  const { scenario, finance } = scenarioWithoutAnswers();
  const session = startDev(scenario);
  try {
    const { temporal_ui: uiUrl } = await session.event((line) => line.event === 'ready');
    const hold = await session.event((line) => line.event === 'hold');
    const { workflowId } = await session.event((line) => line.workflowId !== undefined);
    // Chromium refuses its sandbox to root.
    const args = process.getuid?.() === 0 ? [...flags, '--no-sandbox'] : flags;
    const browser = await chromium.launch({ executablePath, headless: true, args });
    try {
      const photographed = (/** @type {string} */ name) => photograph(browser, { uiUrl, workflowId, name });
      await photographed('paused');
      approve(hold, finance);
      await session.event((line) => line.receipt_verified === true);
      await photographed('finished');
    } finally {
      await browser.close();
    }
  } finally {
    await session.stop();
  }
}

/** The example, but that nobody answers its hold: the run stays paused until this script approves. */
function scenarioWithoutAnswers() {
  const { title, spec, actor, answers } = JSON.parse(readFileSync(join(root, 'examples/refund-desk.json'), 'utf8'));
  const scenario = join(folder, 'scenario.json');
  writeFileSync(scenario, JSON.stringify({ title, spec, actor }));
  return { scenario, finance: answers[0].actor };
}

/** @param {string} scenario */
function startDev(scenario) {
  const args = [rok, '--json', '--data', join(folder, 'data'), 'dev', '--scenario', scenario];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const seen = [];
  createInterface({ input: child.stdout }).on('line', (text) => seen.push(JSON.parse(text)));
  return {
    /** The first line that fits. @param {(line: Record<string, any>) => boolean} fits @returns {Promise<any>} */
    async event(fits) {
      const giveUpAt = Date.now() + waitMs;
      for (;;) {
        const line = seen.find(fits);
        if (line !== undefined) return line;
        if (child.exitCode !== null) throw new Error(`\`rok dev\` ended with exit code ${child.exitCode}`);
        if (Date.now() > giveUpAt) throw new Error(`\`rok dev\` did not get there within ${waitMs} ms`);
        await sleep(100);
      }
    },
    stop: async () => {
      child.kill('SIGINT');
      await exited;
    },
  };
}

/** @param {{ run: string, digest: string }} hold @param {{ name: string, roles: readonly string[] }} finance */
function approve({ run, digest }, { name, roles }) {
  const by = ['--as', name, ...roles.flatMap((role) => ['--role', role]), '--sign'];
  const args = [rok, '--data', join(folder, 'data'), 'approval', 'approve', run, '--digest', digest, ...by];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`\`rok approval approve\` ended with exit code ${status}`);
}

/** @param {import('playwright-core').Browser} browser @param {{ uiUrl: string, workflowId: string, name: string }} what */
async function photograph(browser, { uiUrl, workflowId, name }) {
  const tab = await browser.newPage(view);
  await tab.goto(`${uiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`);
  await tab.waitForURL(/\/timeline/);
  const heading = tab.getByRole('heading', { name: 'Timeline' });
  await heading.waitFor();
  await tab.getByText('awaiting approval by finance').first().waitFor();
  // Less high, so that the page can be scrolled until the input above the timeline is out of sight.
  await tab.setViewportSize({ ...viewport, height: 1050 });
  await heading.evaluate((element) => element.scrollIntoView({ block: 'start' }));
  // The timeline draws itself once more when it knows its size.
  await tab.waitForTimeout(1_500);
  await save(tab, `${name}-timeline`);
  await tab.setViewportSize(viewport);
  await tab.goto(tab.url().replace(/\/timeline.*/, '/user-metadata'));
  // Markdown is shown in frames of their own: the summary, then the current details.
  await tab.frameLocator('iframe >> nth=1').getByText('refund-desk (').waitFor();
  await save(tab, name);
  await tab.close();
}

/** @param {import('playwright-core').Page} tab @param {string} name */
async function save(tab, name) {
  const path = join(out, `${name}.png`);
  await tab.screenshot({ path, animations: 'disabled' });
  say(`took ${path}`);
}
