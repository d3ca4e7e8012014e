// The pictures of the user guide: the pages that people meet, of real servers in a real browser. Looks at nothing and judges
// nothing; `cargo xtask guide --screenshots` runs it, and whoever did so looks at them.
//
// usage: guide.mjs PROGRAM IMAGES, where PROGRAM is bridgehead. $CHROMIUM is the browser where none is on the path.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const QUIET = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-first-run', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];
const VIEW = { viewport: { width: 640, height: 420 }, deviceScaleFactor: 1, colorScheme: 'light' };
// As wide as a picture in the guide, and no taller than what it is about.
const TALLEST = 1150;
const UP_TO_DUVO = 860;
const ALICE = { mail: 'alice@example.com', password: 'correct horse battery staple' };
const CALLBACK = 'https://platform.duvo.ai/v1/oauth/mcp/callback';

const SOURCE = `
[sources.parcels]
type = "http"
credential = { vault = "parcels", header = "X-Api-Key", value = "{api_key}" }
[sources.parcels.tools.get_parcel]
description = "Looks up one parcel: its state, its receiver and its weight."
request = { url = "http://parcels.internal/v1/parcels/{number}" }
parameters.number = { type = "string", description = "The parcel's number." }
[sources.parcels.tools.announce_parcel]
description = "Announces a parcel that somebody will hand in. Returns it with its number."
request = { method = "POST", url = "http://parcels.internal/v1/parcels", json = { receiver = "{receiver}" } }
parameters.receiver = { type = "string", description = "Whom it is for." }
`;
const OAUTH = `name = "Parcels"
[auth]
mode = "oauth"
[vaults.parcels]
title = "the parcel service"
fields = { api_key = "Your key of the parcel service", depot = "Your depot's number" }
${SOURCE.replace('header = "X-Api-Key", value = "{api_key}"', 'headers = { Authorization = "Bearer {api_key}", X-Depot = "{depot}" }')}`;
const PROBE = 'verify = "upstream"\nprobe = { source = "parcels", path = "/v1/me", subject = "/email" }';

/** A server with a public address whose teammates sign in so; what stands in `credential` of its source. */
function signingIn(auth, credential = '') {
  const source = SOURCE.replace(/credential.*\n/, credential && `credential = ${credential}\n`);
  return `name = "Parcels"\nserver.public_url = "https://mcp.example.com"\n[auth]\n${auth}\n${source}`;
}

/** The first page of each of these, by the name of its picture. */
const CONNECT = {
  'connect': signingIn('mode = "api_key"'),
  'connect-headers': signingIn('mode = "headers"\n[auth.headers]\nrequired = ["X-Api-Key", "X-Tenant"]'),
  'connect-upstream': signingIn(`mode = "api_key"\n[auth.api_key]\n${PROBE}`, '{ from = "caller" }'),
  'connect-oauth': signingIn('mode = "oauth"'),
};
const ELSEWHERE = signingIn('mode = "oauth"\n[auth.oauth.login]\nissuer = "https://login.example.com"\nclient_id = "bridgehead"\nclient_secret = "none"');

const [program, images] = process.argv.slice(2);
const executablePath = process.env.CHROMIUM
  ?? process.env.PATH.split(delimiter).map(folder => join(folder, 'chromium')).find(existsSync);
if (!program || !images || !executablePath) {
  console.error('usage: guide.mjs PROGRAM IMAGES, with chromium on the path or in $CHROMIUM');
  process.exit(2);
}

/** A server of this configuration in a folder of its own: where it listens, and what its card says. */
async function serve(config) {
  const folder = mkdtempSync(join(tmpdir(), 'bridgehead-guide-'));
  writeFileSync(join(folder, 'bridgehead.toml'), config);
  const env = { PATH: process.env.PATH, BRIDGEHEAD_SERVER__LISTEN: '127.0.0.1:0', NO_COLOR: '1' };
  const child = spawn(program, ['serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = async (stream, last) => {
    let text = '';
    for await (const line of createInterface({ input: stream })) {
      text += `${line}\n`;
      if (line.includes(last)) return text;
    }
    throw new Error(`the server ended, and said\n${text}`);
  };
  const [card, log] = await Promise.all([said(child.stdout, 'authentication:'), said(child.stderr, 'listening address=')]);
  return {
    card,
    origin: `http://${/address=(\S+)/.exec(log)[1]}`,
    end: () => new Promise(resolve => child.on('exit', resolve).kill('SIGTERM')).then(() => rmSync(folder, { recursive: true })),
  };
}

/** As the guide shows it: up to its end, or where it grows too tall. */
async function picture(page, name, tallest = TALLEST) {
  const height = await page.evaluate(() => document.body.scrollHeight);
  await page.setViewportSize({ width: VIEW.viewport.width, height: Math.min(height, tallest) });
  await page.screenshot({ path: join(images, `${name}.png`) });
  await page.setViewportSize(VIEW.viewport);
}

async function signIn(page) {
  await page.getByLabel('Mail address').fill(ALICE.mail);
  await page.getByLabel('Password', { exact: true }).fill(ALICE.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function posted(url, body) {
  const headers = { 'content-type': typeof body === 'string' ? 'application/json' : 'application/x-www-form-urlencoded' };
  const answer = await fetch(url, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

/** The way of a teammate who connects Duvo, and looks at what they have connected. */
async function oauth(context) {
  const server = await serve(OAUTH);
  const { origin } = server;
  const page = await context.newPage();
  await page.goto(/http\S+login\/link\S+/.exec(server.card)[0]);
  await page.getByLabel('Mail address').fill(ALICE.mail);
  await picture(page, 'choose-password');
  await page.getByLabel('New password').fill(ALICE.password);
  await page.getByLabel('The same once more').fill(ALICE.password);
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.waitForLoadState();
  await context.clearCookies();

  const metadata = await (await fetch(`${origin}/.well-known/oauth-authorization-server`)).json();
  const registration = { client_name: 'Duvo', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' };
  const { client_id } = await posted(metadata.registration_endpoint, JSON.stringify(registration));
  const verifier = randomBytes(32).toString('base64url');
  const resource = `${origin}/mcp`;
  const query = new URLSearchParams({
    response_type: 'code', client_id, redirect_uri: CALLBACK, resource, state: 'x', code_challenge_method: 'S256',
    scope: 'tools:read tools:write', code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  });
  await page.goto(`${metadata.authorization_endpoint}?${query}`);
  await picture(page, 'sign-in');
  await signIn(page);
  await page.getByRole('button', { name: 'Allow' }).waitFor();
  await picture(page, 'consent');
  let arrived;
  const answer = new Promise(resolve => { arrived = resolve; });
  // Duvo answers that it has nothing, which keeps the browser where it is.
  await page.route(url => url.href.startsWith(CALLBACK), async route => {
    await route.fulfill({ status: 204 });
    arrived(new URL(route.request().url()));
  });
  await page.getByRole('button', { name: 'Allow' }).click();
  const code = (await answer).searchParams.get('code');
  const form = { grant_type: 'authorization_code', code, client_id, redirect_uri: CALLBACK, code_verifier: verifier, resource };
  await posted(metadata.token_endpoint, new URLSearchParams(form));
  await page.goto(`${origin}/account`);
  await picture(page, 'account');
  await page.goto(`${origin}/account/credentials/parcels`);
  await picture(page, 'credential');
  await server.end();
}

async function one(context, config, path, name, tallest) {
  const server = await serve(config);
  const page = await context.newPage();
  await page.goto(server.origin + path);
  await picture(page, name, tallest);
  await server.end();
}

mkdirSync(images, { recursive: true });
const browser = await chromium.launch({ executablePath, args: QUIET });
try {
  const context = await browser.newContext(VIEW);
  await oauth(context);
  for (const [name, config] of Object.entries(CONNECT)) await one(await browser.newContext(VIEW), config, '/', name, UP_TO_DUVO);
  await one(await browser.newContext(VIEW), ELSEWHERE, '/login', 'sign-in-elsewhere');
} finally {
  await browser.close();
}
