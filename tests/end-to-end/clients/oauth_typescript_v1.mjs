// The TypeScript SDK 1.x (@modelcontextprotocol/sdk) signs in by itself: its transport, with an OAuthClientProvider.
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Provider, callback, follow, serverUrl, signingIn } from './oauth.mjs';

const provider = new Provider(await callback(), 'TypeScript SDK 1', 'client_secret_post');

async function connect() {
  const transport = new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: provider });
  const client = new Client({ name: 'bridgehead-end-to-end', version: '1.0.0' });
  await client.connect(transport).catch(error => Promise.reject(Object.assign(error, { transport })));
  return { client, transport };
}

await follow(
  signingIn(connect, error => error instanceof UnauthorizedError, transport => transport.finishAuth(provider.arrived.get('code'))),
  () => provider.kept?.access_token,
);
