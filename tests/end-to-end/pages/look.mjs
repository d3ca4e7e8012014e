// Looks at the sample pages in Chromium, as people would: light and dark, on a phone and on a desktop, by keyboard,
// without JavaScript. Serves them with the headers they came with, so that their policy is tried as well.
//
// usage: look.mjs SAMPLES SCREENSHOTS [PATTERN], where SAMPLES has NAME.html and NAME.json ({status, headers}) for each
// page, and copy.js, the one script that a page may have; with a pattern, only pages whose name it finds. $CHROMIUM is the browser where none is on the path.
// Exit codes: 0 every check held, 1 one did not, 2 called wrongly.
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const SCHEMES = ['light', 'dark'];
const DEVICES = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 900 } },
};
// A page has to fit into these as well: WCAG 2.2, 1.4.10, wants the first, and the others lie where the layout changes.
const NARROWER = [320, 640, 768];
// The page that has a script.
const SCRIPTED = /^connect-/;
const SCRIPT = '/copy.js';
// What stands at `/`, where words to find are sent.
const FOUND = 'connect-found';
// So many of a page's foldings are opened, since one looks like the next.
const MOST_OPENED = 60;
// What keeps the browser to itself: no updates, no sync, no first run.
const QUIET = [
  '--no-sandbox', '--headless', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-first-run',
];
const CONTROLS = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';

const [samples, screenshots, pattern = ''] = process.argv.slice(2);
const executablePath = process.env.CHROMIUM
  ?? process.env.PATH.split(delimiter).map(folder => join(folder, 'chromium')).find(existsSync);
if (!samples || !screenshots || !executablePath) {
  console.error('usage: look.mjs SAMPLES SCREENSHOTS [PATTERN], with chromium on the path or in $CHROMIUM');
  process.exit(2);
}

let checks = 0;
const faults = [];

function holds(what, condition, seen) {
  checks += 1;
  if (!condition) faults.push(seen === undefined ? what : `${what}: ${JSON.stringify(seen)}`);
}

/** Serves the samples; answers every POST with a redirect to the client, and takes note of it. */
function serve(pages, client, posted) {
  return listen(async (request, response) => {
    const name = request.url.slice(1).split('?')[0] || FOUND;
    if (request.url === SCRIPT) {
      response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(script);
      return;
    }
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      posted.push({ path: request.url, origin: request.headers.origin, fields: new URLSearchParams(body) });
      response.writeHead(303, { location: `${client.origin}/callback?code=x` }).end();
    } else if (pages.has(name)) {
      const { status, headers, html } = pages.get(name);
      response.writeHead(status, { ...headers, 'content-type': 'text/html; charset=utf-8' }).end(html);
    } else {
      response.writeHead(404).end();
    }
  });
}

function listen(handler) {
  return new Promise(resolve => {
    const server = createServer(handler);
    server.listen(0, '127.0.0.1', () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` }));
  });
}

function load(directory) {
  const names = readdirSync(directory).filter(file => file.endsWith('.html')).map(file => basename(file, '.html'));
  return new Map(names.map(name => {
    const { status, headers } = JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8'));
    return [name, { status, headers, html: readFileSync(join(directory, `${name}.html`), 'utf8') }];
  }));
}

/** All pages on one device in one scheme. */
async function lookAt(browser, origin, names, device, scheme) {
  const context = await browser.newContext({ ...DEVICES[device], colorScheme: scheme });
  const page = await context.newPage();
  const seen = { complaints: [], left: [] };
  // That a status is 4xx or 5xx is a complaint, too, but meant.
  page.on('console', message => {
    if (message.type() === 'error' && !/status of [45]/.test(message.text())) seen.complaints.push(message.text());
  });
  // Another site answers that it has nothing, which keeps the browser where it is.
  await page.route(url => url.origin !== origin, async route => {
    seen.left.push(route.request().url());
    await route.fulfill({ status: 204 });
  });
  for (const name of names) {
    seen.complaints = [];
    seen.left = [];
    await look(page, origin, name, `${device}-${scheme}`, seen);
  }
  await context.close();
}

async function look(page, origin, name, label, seen) {
  await page.goto(`${origin}/${name}`, { waitUntil: 'load' });
  await page.evaluate(AXE);
  const at = `${name} (${label})`;
  await wellFormed(page, name, at);
  await accessible(page, at);
  await fits(page, at);
  await page.screenshot({ path: join(screenshots, `${name}-${label}.png`), fullPage: true });
  await byKeyboard(page, at);
  if (await page.locator('details').count() > 0) {
    await page.evaluate(most => {
      for (const details of [...document.querySelectorAll('details')].slice(0, most)) {
        details.removeAttribute('name');
        details.open = true;
      }
    }, MOST_OPENED);
    await accessible(page, `${at}, opened`);
    await fits(page, `${at}, opened`);
    await page.screenshot({ path: join(screenshots, `${name}-${label}-opened.png`), fullPage: true });
  }
  const goes = /^(go-back(?!-app)|signed-out-elsewhere)/.test(name);
  holds(`${at} ${goes ? 'goes on, once' : 'asks nothing of any other site'}`, seen.left.length === (goes ? 1 : 0), seen.left);
  for (const url of seen.left) holds(`${at} hands the answer over`, ['state', 'id_token_hint'].some(name => new URL(url).searchParams.has(name)), url);
  holds(`${at} makes the browser complain of nothing`, seen.complaints.length === 0, seen.complaints);
}

async function wellFormed(page, name, at) {
  const seen = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    title: document.title,
    headings: document.querySelectorAll('h1').length,
    scripts: [...document.querySelectorAll('script')].map(element => element.getAttribute('src') ?? 'inside'),
    active: document.querySelectorAll('[onclick], [onload], [onerror], [onfocus], iframe, object, embed, base').length,
    mode: document.compatMode,
    styled: getComputedStyle(document.body).display,
  }));
  holds(`${at} names its language`, seen.lang === 'en', seen);
  holds(`${at} has a title`, seen.title.length > 8, seen);
  holds(`${at} has one heading`, seen.headings === 1, seen);
  holds(`${at} has no script but the one`, seen.scripts.join() === (SCRIPTED.test(name) ? SCRIPT : ''), seen);
  holds(`${at} has nothing that runs inside`, seen.active === 0, seen);
  holds(`${at} is in standards mode`, seen.mode === 'CSS1Compat', seen);
  holds(`${at} has its style, which its policy names`, seen.styled === 'flex', seen);
}

async function accessible(page, at) {
  const violations = await page.evaluate(async values => {
    const options = { resultTypes: ['violations'], runOnly: { type: 'tag', values } };
    return (await globalThis.axe.run(document, options)).violations;
  }, RULES);
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(node => node.html.slice(0, 120)).join(' | ')}`);
  holds(`${at} is accessible`, violations.length === 0, told);
}

/** Nothing reaches out of the page or has to be scrolled sideways, and no button lies on the text that it copies. */
async function fits(page, at) {
  const usual = page.viewportSize();
  for (const width of [usual.width, ...NARROWER.filter(width => width < usual.width)]) {
    await page.setViewportSize({ width, height: usual.height });
    const { wide, covered } = await page.evaluate(() => {
      const most = document.documentElement.clientWidth;
      const shown = element => (element.textContent || element.outerHTML).trim().slice(0, 100);
      const over = [...document.body.querySelectorAll('*')].filter(element => {
        const box = element.getBoundingClientRect();
        const scrolls = element.scrollWidth > element.clientWidth && getComputedStyle(element).overflowX === 'auto';
        return !element.closest('.unseen') && box.width > 0 && (scrolls || box.right > most + 1);
      });
      const page = document.documentElement.scrollWidth > most ? ['the page scrolls sideways'] : [];
      const covered = [...document.querySelectorAll('[data-copy]')].filter(value => {
        const button = (value.closest('pre') ?? value).nextElementSibling?.closest('button.copies');
        if (!button) return false;
        const box = button.getBoundingClientRect();
        const text = document.createRange();
        text.selectNodeContents(value);
        return [...text.getClientRects()].some(line => (
          line.left < box.right && box.left < line.right && line.top < box.bottom && box.top < line.bottom
        ));
      });
      return { wide: [...page, ...over.map(shown)], covered: covered.map(shown) };
    });
    holds(`${at} fits into ${width} pixels`, wide.length === 0, wide);
    holds(`${at} covers no text at ${width} pixels`, covered.length === 0, covered);
  }
  await page.setViewportSize(usual);
}

/** Tab reaches every control, in the order of the document, and shows where it is. */
async function byKeyboard(page, at) {
  const wanted = await page.evaluate(controls => {
    const visible = [...document.querySelectorAll(controls)].filter(element => element.checkVisibility());
    visible.forEach((element, index) => element.setAttribute('data-order', index));
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute('tabindex');
    return visible.length;
  }, CONTROLS);
  const reached = [];
  for (let step = 0; step < wanted; step += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return [Number(document.activeElement.dataset.order), outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2];
    }));
  }
  holds(`${at} is reached by Tab in its order`, reached.every(([order], step) => order === step), reached.map(([order]) => order));
  holds(`${at} shows where the focus is`, reached.every(([, shown]) => shown), reached);
}

/** The forms, without JavaScript. `client` is another site, to which their answers lead. */
async function forms(browser, origin, client, posted) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', message => complaints.push(message.text()));
  const arrives = async what => {
    await page.waitForURL(`${client.origin}/**`);
    holds(`${what} arrives at the client`, true);
    return posted.at(-1);
  };

  await page.goto(`${origin}/consent`);
  await page.getByRole('button', { name: 'Allow' }).click();
  const allowed = await arrives('Allow');
  holds('Allow says so', allowed.fields.get('decision') === 'allow', [...allowed.fields]);
  holds('a ticked box is posted', allowed.fields.getAll('scope').join() === 'tools:write', [...allowed.fields]);
  holds('the query comes back', allowed.fields.get('query')?.startsWith('client_id='), [...allowed.fields]);
  holds('the token comes back', Boolean(allowed.fields.get('csrf')), [...allowed.fields]);
  holds('Chromium sends the origin', allowed.origin === origin, String(allowed.origin));

  await page.goto(`${origin}/consent`);
  await page.getByRole('checkbox').click();
  await page.getByRole('button', { name: 'Deny' }).click();
  const denied = await arrives('Deny');
  holds('Deny says so', denied.fields.get('decision') === 'deny', [...denied.fields]);
  holds('an unticked box is not posted', !denied.fields.has('scope'), [...denied.fields]);

  // Enter in a form presses its first button: that must not be Allow.
  await page.goto(`${origin}/consent`);
  await page.getByRole('checkbox').focus();
  await page.keyboard.press('Enter');
  const entered = await arrives('Enter');
  holds('Enter does not allow', entered.fields.get('decision') === 'deny', [...entered.fields]);

  // A sign-in on the way to a client may end there; another one may not.
  await page.goto(`${origin}/sign-in-connecting`);
  await page.getByLabel('Mail address').fill('alice@example.com');
  await page.getByLabel('Password').fill('correct horse battery staple');
  await page.keyboard.press('Enter');
  const signedIn = await arrives('a sign-in for a client');
  holds('the sign-in is complete', ['mail', 'password', 'next'].every(field => signedIn.fields.get(field)), [...signedIn.fields.keys()]);
  holds('nothing was complained of', complaints.length === 0, complaints);
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel('Mail address').fill('alice@example.com');
  await page.getByLabel('Password').fill('correct horse battery staple');
  const refused = page.waitForEvent('console', message => message.text().includes('form-action'));
  await page.keyboard.press('Enter');
  await refused;
  holds('any other sign-in stays here', page.url().startsWith(origin), page.url());
  await context.close();
}

/** Each value has a button that copies it, by mouse and by keyboard; and none without JavaScript, where a click selects. */
async function copying(browser, origin) {
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  await page.goto(`${origin}/connect-side-by-side`);
  await page.evaluate(() => document.querySelectorAll('details').forEach(details => {
    details.removeAttribute('name');
    details.open = true;
  }));
  const values = await page.locator('[data-copy]').allTextContents();
  const buttons = page.getByRole('button', { name: /^Copy / });
  holds('each value has its button', values.length > 10 && await buttons.count() === values.length, [values, await buttons.allTextContents()]);
  const copied = [];
  for (let index = 0; index < values.length; index += 1) {
    const button = page.locator('button.copies').nth(index);
    if (index % 2 === 0) await button.click();
    else await button.press('Enter');
    await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor();
    copied.push(await page.evaluate(() => navigator.clipboard.readText()));
  }
  holds('each button copies its value', copied.join('\n') === values.join('\n'), [copied, values]);
  await context.close();

  const without = await browser.newContext({ javaScriptEnabled: false });
  const still = await without.newPage();
  await still.goto(`${origin}/connect-signed-in`);
  holds('without JavaScript no button promises to copy', await still.locator('button.copies').count() === 0);
  await still.getByText('curl', { exact: true }).click();
  const shown = still.locator('details[open] pre');
  holds('without JavaScript a client opens', await shown.count() === 1 && await shown.isVisible());
  await still.getByText('MCP Inspector', { exact: true }).click();
  holds('and only one at a time', !await still.getByText('This shows how clients find the way').isVisible());
  await still.goto(`${origin}/connect-found`);
  await still.getByRole('searchbox').fill('stock north');
  await still.keyboard.press('Enter');
  await still.waitForURL(url => url.searchParams.get('find') === 'stock north');
  holds('without JavaScript tools are found', true);
  await without.close();
}

const script = existsSync(join(samples, 'copy.js')) ? readFileSync(join(samples, 'copy.js')) : '';
mkdirSync(screenshots, { recursive: true });
const pages = load(samples);
const names = [...pages.keys()].filter(name => name.match(pattern));
const posted = [];
const client = await listen((_, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('the client'));
const server = await serve(pages, client, posted);
// With a profile of its own, which is gone afterwards.
const browser = await chromium.launch({ executablePath, args: QUIET });
try {
  const variants = SCHEMES.flatMap(scheme => Object.keys(DEVICES).map(device => [device, scheme]));
  await Promise.all(variants.map(([device, scheme]) => lookAt(browser, server.origin, names, device, scheme)));
  if (pages.has('consent')) await forms(browser, server.origin, client, posted);
  if (pages.has('connect-side-by-side')) await copying(browser, server.origin);
} finally {
  await browser.close();
  server.server.close();
  client.server.close();
}
for (const fault of faults) console.error(`not so: ${fault}`);
console.log(JSON.stringify({ pages: names.length, checks, faults: faults.length }));
process.exit(faults.length === 0 ? 0 : 1);
