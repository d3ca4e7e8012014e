// A person with Chromium, for clients that want somebody to sign in. Answers POSTs of JSON on a loopback port, which it
// prints first, until its input ends. It knows the pages only as people do: by labels, buttons and what they say.
//
//   /authorize   {url, person, keep?: ["tools:write"], answer?: "allow" | "deny"}: signs in if asked to, answers the
//                consent page, and follows to the client. → {arrived: URL, signed_in, consent?: {text, offered}} or
//                {refused: status, text} where a page told the person why not.
//   /disconnect  {url, person, client}: on the account page, cuts this client off. → {text}
//   /inspect     {url, person, call: {name, arguments}}: opens page_client.mjs, a page of this port, which connects to the
//                endpoint at `url` and calls the tool. → {signed_in, consent, client: what it shows}
//   /choose      {url, person}: opens a one-time link and chooses the password. → {text}
//   /sign_out    {url, person}: on the account page, signs out, here and where else it is asked. → {url, text}
//
// A person is {profile, mail, password, directory?}; each profile has cookies of its own, as two people have two browsers.
// `directory` is {name, password, cancels?}: who they are at an identity provider where that is not their mail address, and whether
// they think better of it there.
//
// usage: browser.mjs [RULE…], each rule one of Chromium's --host-resolver-rules, as `MAP mcp.example.com 127.0.0.1:4711`.
// Names that are mapped have certificates of the test's own, which are not checked.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

// What keeps the browser to itself: no updates, no sync, no first run, no names looked up outside.
const QUIET = [
  '--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-first-run',
];
const rules = [...process.argv.slice(2), 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE localhost'].join(', ');

// The SDK as it is installed, without a bundler.
const CLIENT_PAGE = `<!doctype html><title>A client</title><output></output><script type="importmap">${JSON.stringify({ imports: {
  '@modelcontextprotocol/client': '/node_modules/@modelcontextprotocol/client/dist/index.mjs',
  '@modelcontextprotocol/client/_shims': '/node_modules/@modelcontextprotocol/client/dist/shimsBrowser.mjs',
  '@modelcontextprotocol/core/internal': '/node_modules/@modelcontextprotocol/core/dist/internal.mjs',
  'eventsource': '/node_modules/eventsource/dist/index.js',
  'eventsource-parser': '/node_modules/eventsource-parser/dist/index.js',
  'eventsource-parser/stream': '/node_modules/eventsource-parser/dist/stream.js',
  'jose': '/node_modules/jose/dist/webapi/index.js',
  'pkce-challenge': '/node_modules/pkce-challenge/dist/index.browser.js',
  'zod/v4': '/node_modules/zod/v4/index.js',
} })}</script><script type="module" src="/page_client.mjs"></script>`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [...QUIET, `--host-resolver-rules=${rules}`],
});
const profiles = new Map();

/** A page of this person, and the last answer to a navigation on it. */
async function open({ profile }, url) {
  if (!profiles.has(profile)) profiles.set(profile, await browser.newContext({ ignoreHTTPSErrors: true }));
  const page = await profiles.get(profile).newPage();
  const seen = { status: 0 };
  page.on('response', response => {
    const request = response.request();
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) seen.status = response.status();
  });
  await page.goto(url);
  return { page, seen };
}

async function press(page, button) {
  if ((await button.count()) !== 1) throw new Error(`not one such button: ${button}\n${await text(page)}`);
  await Promise.all([page.waitForEvent('framenavigated', frame => frame === page.mainFrame()), button.click()]);
  await page.waitForLoadState();
}

const text = page => page.locator('main').innerText();

/** Signs in where the page asks for it; whether it did. */
async function signIn(page, { mail, password }) {
  const field = page.getByLabel('Password', { exact: true });
  if ((await field.count()) === 0 || (await page.getByLabel('Mail address').count()) === 0) return false;
  await page.getByLabel('Mail address').fill(mail);
  await field.fill(password);
  await press(page, page.getByRole('button', { name: 'Sign in' }));
  return true;
}

/** Signs in wherever the page at `here` leads, if it leads anywhere; whether it did. */
async function signInElsewhere(page, here, person) {
  const go = page.getByRole('button', { name: /^Continue with / });
  if ((await go.count()) === 0) return false;
  await press(page, go);
  if (new URL(page.url()).origin !== here && !(await enterDirectory(page, person))) {
    // The other make knows its people by a button each. Where it is not there either, the provider knew them.
    await press(page, page.getByRole('button', { name: person.directory.name, exact: true }));
  }
  return true;
}

/** Signs in at the identity provider where its page asks for it; whether it did. */
async function enterDirectory(page, { mail, password, directory }) {
  const field = page.getByLabel('Name in the directory');
  if ((await field.count()) === 0) return false;
  const there = directory ?? { name: mail, password };
  await field.fill(there.name);
  await page.getByLabel('Password in the directory').fill(there.password);
  await press(page, page.getByRole('button', { name: there.cancels ? 'Cancel' : 'Enter', exact: true }));
  return true;
}

async function authorize({ url, ...order }) {
  const { page, seen } = await open(order.person, url);
  const result = await answer(page, seen, new URL(url).origin, order);
  if (result.refused) return result;
  if (page.url().startsWith('chrome-error:')) throw new Error(`the client cannot be reached: ${await page.innerText('body')}`);
  result.arrived = page.url();
  await page.close();
  return result;
}

/** From the first page of the server at `here` back to the client: sign-in, consent, the page that leads back. */
async function answer(page, seen, here, { person, keep, answer = 'allow' }) {
  const away = () => new URL(page.url()).origin !== here;
  const result = { signed_in: false };
  // No honest flow has more pages.
  for (let step = 0; step < 4 && !away(); step += 1) {
    if (seen.status >= 400) return { ...result, refused: seen.status, text: await text(page) };
    const decision = page.getByRole('button', { name: answer === 'allow' ? 'Allow' : 'Deny', exact: true });
    if ((await signIn(page, person)) || (await enterDirectory(page, person)) || (await signInElsewhere(page, here, person))) {
      result.signed_in = true;
    } else if ((await decision.count()) > 0) {
      result.consent = await consent(page, keep);
      await press(page, decision);
    } else {
      await page.waitForURL(address => address.origin !== here);
    }
  }
  if (!away()) throw new Error(`the flow ended at ${page.url()}: ${await text(page)}`);
  return result;
}

/** What the page says; the boxes that are not to be kept are unticked. */
async function consent(page, keep) {
  const boxes = page.getByRole('checkbox');
  const offered = [];
  for (const box of await boxes.all()) {
    const scope = await box.getAttribute('value');
    offered.push(scope);
    if (keep && !keep.includes(scope)) await box.uncheck();
  }
  return { text: await text(page), offered };
}

async function disconnect({ url, person, client }) {
  const { page } = await open(person, url);
  await signIn(page, person) || await signInElsewhere(page, new URL(url).origin, person);
  await press(page, page.getByRole('button', { name: new RegExp(`^Disconnect\\s+“?${client}”?\\s+at `) }));
  const result = { text: await text(page) };
  await page.close();
  return result;
}

/** The client is itself a page of another site: what it may do is the browser's to say. */
async function inspect({ url, person, call }) {
  const { page, seen } = await open(person, 'about:blank');
  const complaints = [];
  page.on('console', message => complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('requestfailed', request => complaints.push(`${request.method()} ${request.url()}: ${request.failure().errorText}`));
  const shown = page.locator('output:not(:empty)');
  await page.goto(`${origin()}/?${new URLSearchParams({ server: url, call: JSON.stringify(call) })}`);
  const here = new URL(url).origin;
  await Promise.race([page.waitForURL(address => address.origin === here), shown.waitFor()])
    .catch(error => Promise.reject(new Error(`${error}\n${complaints.join('\n')}`)));
  const result = new URL(page.url()).origin === here ? await answer(page, seen, here, { person }) : { complaints };
  await shown.waitFor();
  result.client = JSON.parse(await page.locator('output').innerText());
  await page.close();
  return result;
}

async function choose({ url, person }) {
  const { page } = await open(person, url);
  const mail = page.getByLabel('Mail address');
  if (await mail.isEditable()) await mail.fill(person.mail);
  await page.getByLabel('New password').fill(person.password);
  await page.getByLabel('The same once more').fill(person.password);
  await press(page, page.getByRole('button', { name: 'Set password' }));
  const result = { text: await text(page) };
  await page.close();
  return result;
}

async function signOut({ url, person }) {
  const { page } = await open(person, url);
  await press(page, page.getByRole('button', { name: 'Sign out', exact: true }));
  const there = page.getByRole('button', { name: 'Sign out there' });
  const here = page.getByText('You are signed out.');
  await there.or(here).waitFor();
  if ((await there.count()) > 0) {
    await press(page, there);
    await here.waitFor();
  }
  const result = { url: page.url(), text: await text(page) };
  await page.close();
  return result;
}

const DEEDS = {
  '/authorize': authorize, '/choose': choose, '/disconnect': disconnect, '/inspect': inspect, '/sign_out': signOut,
};

const origin = () => `http://127.0.0.1:${server.address().port}`;

/** The page of a client, and its scripts as they are installed. */
function serve(path, response) {
  const isScript = /\.m?js$/.test(path);
  response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
  response.end(isScript ? readFileSync(new URL(`.${path}`, import.meta.url)) : CLIENT_PAGE);
}

const server = createServer(async (request, response) => {
  if (request.method === 'GET') return serve(new URL(request.url, origin()).pathname, response);
  let body = '';
  for await (const chunk of request) body += chunk;
  let status = 200;
  let result;
  try {
    result = await DEEDS[request.url](JSON.parse(body));
  } catch (error) {
    status = 500;
    result = { error: String(error?.stack ?? error) };
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(result));
});
server.listen(0, '127.0.0.1', () => console.log(origin()));

// The test that started this holds the other end.
process.stdin.resume().on('end', async () => {
  await browser.close();
  process.exit(0);
});
