// mcp-remote, as a desktop client that speaks STDIO alone starts it. It opens the browser as on any desktop without a
// display: by xdg-open, which goes by $BROWSER.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { follow, identity, person, serverUrl } from './oauth.mjs';

const beside = file => fileURLToPath(new URL(file, import.meta.url));
const memory = mkdtempSync(join(tmpdir(), 'mcp-remote-'));
process.on('exit', () => rmSync(memory, { recursive: true, force: true }));

// With a desktop around, xdg-open asks that one first.
const NO_DESKTOP = { DISPLAY: '', WAYLAND_DISPLAY: '', XDG_CURRENT_DESKTOP: '', DESKTOP_SESSION: '' };

let giveUp = () => {};
const opener = createServer(async (request, response) => {
  let url = '';
  for await (const chunk of request) url += chunk;
  try {
    await person.visit(url);
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(503).end();
    giveUp(error);
  }
});
await new Promise(resolve => opener.listen(0, '127.0.0.1', resolve));

/** A port that was free a moment ago: a fixed client cannot take mcp-remote's next one. */
async function freePort() {
  const server = createServer();
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return String(port);
}

async function known() {
  if (identity.metadata_url) return [await freePort(), '--client-metadata-url', identity.metadata_url];
  if (identity.client_id) return [await freePort(), '--static-oauth-client-info', JSON.stringify(identity)];
  return [await freePort()];
}

async function connect() {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [beside('node_modules/mcp-remote/dist/proxy.js'), serverUrl, ...(await known())],
    env: {
      ...process.env,
      ...NO_DESKTOP,
      BROWSER: `${process.execPath} ${beside('open.mjs')}`,
      OPENER_URL: `http://127.0.0.1:${opener.address().port}/`,
      MCP_REMOTE_CONFIG_DIR: memory,
    },
    stderr: process.env.CLIENT_DEBUG ? 'inherit' : 'ignore',
  });
  const client = new Client({ name: 'bridgehead-end-to-end', version: '1.0.0' });
  await client.connect(transport);
  return client;
}

let client;

/** Gives up when mcp-remote wants somebody to sign in and nobody is there: it would wait for half a minute. */
const unlessLonely = work => Promise.race([work, new Promise((_, reject) => { giveUp = reject; })]);

async function call(tool, args) {
  client ??= await connect();
  const result = await client.callTool({ name: tool, arguments: args });
  if (result.isError) throw new Error(JSON.stringify(result.content));
  return result.structuredContent;
}

await follow(
  (tool, args) => unlessLonely(call(tool, args)),
  () => {
    const file = readdirSync(memory, { recursive: true }).find(name => name.endsWith('_tokens.json'));
    return file && JSON.parse(readFileSync(join(memory, file), 'utf8')).access_token;
  },
);
