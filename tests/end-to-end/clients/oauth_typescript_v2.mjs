// The TypeScript SDK 2.x (@modelcontextprotocol/client) signs in by itself: its transport, with an OAuthClientProvider,
// on the revision without sessions.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { Provider, callback, follow, serverUrl, signingIn } from './oauth.mjs';

const provider = new Provider(await callback(), 'TypeScript SDK 2', 'none');

async function connect() {
  const transport = new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: provider });
  const client = new Client({ name: 'bridgehead-end-to-end', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(transport).catch(error => Promise.reject(Object.assign(error, { transport })));
  return { client, transport };
}

await follow(
  signingIn(connect, error => error instanceof UnauthorizedError, transport => transport.finishAuth(provider.arrived)),
  () => provider.kept?.access_token,
);
