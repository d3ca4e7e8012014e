// A client that is a page, as the MCP Inspector is: the TypeScript SDK 2.x in the browser. It leaves for the authorization
// server and comes back as a new page, so all that it knows is in the session's storage. What came of it stands in
// <output>, as JSON.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

const query = new URLSearchParams(location.search);
if (query.has('server')) {
  sessionStorage.clear();
  sessionStorage.server = query.get('server');
  sessionStorage.call = query.get('call');
}

/** A value in the session's storage. */
const kept = name => ({
  get: () => (sessionStorage[name] ? JSON.parse(sessionStorage[name]) : undefined),
  set: value => { sessionStorage[name] = JSON.stringify(value); },
});
const [information, tokens, verifier, discovery, state] = ['information', 'tokens', 'verifier', 'discovery', 'state'].map(kept);

const authProvider = {
  redirectUrl: `${location.origin}/oauth/callback`,
  clientMetadata: {
    client_name: 'A page',
    redirect_uris: [`${location.origin}/oauth/callback`],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  clientInformation: information.get,
  saveClientInformation: information.set,
  tokens: tokens.get,
  saveTokens: tokens.set,
  codeVerifier: verifier.get,
  saveCodeVerifier: verifier.set,
  discoveryState: discovery.get,
  saveDiscoveryState: discovery.set,
  state: () => {
    state.set(crypto.randomUUID());
    return state.get();
  },
  redirectToAuthorization: url => location.assign(url),
};

const transport = () => new StreamableHTTPClientTransport(new URL(sessionStorage.server), { authProvider });

async function run() {
  if (query.has('code')) {
    if (query.get('state') !== state.get()) throw new Error('the state is not the one that was sent');
    await transport().finishAuth(query);
  }
  const client = new Client({ name: 'a-page', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(transport());
  return (await client.callTool(JSON.parse(sessionStorage.call))).structuredContent;
}

const show = value => { document.querySelector('output').textContent = JSON.stringify(value); };
run().then(result => show({ result }), error => {
  // The browser is on its way to the authorization server.
  if (!(error instanceof UnauthorizedError)) show({ refused: String(error?.stack ?? error) });
});
