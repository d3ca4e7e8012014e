// What the clients with OAuth have in common: a callback on loopback, somebody with a browser, and the conversation with
// the test. It knows of no SDK.
//
// The test writes one step to a line, and reads one line of JSON for it:
//   {"do": "call", "tool", "arguments", "may_sign_in"} → {"result", "sign_ins", "token"}, or {"refused", "sign_ins", "token"}
// `sign_ins` counts how often a person was asked for so far. With `may_sign_in: false` nobody is there.
//
// Environment: MCP_URL; BROWSER_URL and PERSON as browser.mjs takes them; CLIENT, how the client is known: {} registers
// itself, {"metadata_url"} has a metadata document, {"client_id", "client_secret"} is registered before.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

export const serverUrl = process.env.MCP_URL;
export const identity = JSON.parse(process.env.CLIENT);

/** Somebody with a browser. */
export const person = {
  signIns: 0,
  isThere: false,

  /** Opens the URL as a desktop would, and returns when the browser has come to the client. */
  async visit(url) {
    person.signIns += 1;
    if (!person.isThere) throw new Error('a person was asked to sign in');
    const order = { url: String(url), person: JSON.parse(process.env.PERSON) };
    const answer = await fetch(`${process.env.BROWSER_URL}/authorize`, { method: 'POST', body: JSON.stringify(order) });
    const visit = await answer.json();
    if (!visit.arrived) throw new Error(`the browser did not come back: ${JSON.stringify(visit)}`);
  },
};

/** A callback on a port of its own; `next()` is the query of the next request there. */
export async function callback() {
  const waiting = [];
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('You may close this window.');
    const { pathname, searchParams } = new URL(request.url, 'http://127.0.0.1');
    if (pathname === '/callback') waiting.shift()?.(searchParams);
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/callback`,
    next: () => new Promise(resolve => waiting.push(resolve)),
  };
}

/** An OAuthClientProvider as both TypeScript SDKs have it, which keeps everything in memory. */
export class Provider {
  constructor(back, name, authMethod) {
    this.back = back;
    this.name = name;
    this.authMethod = authMethod;
    this.information = identity.client_id ? { issuer: new URL(serverUrl).origin, ...identity } : undefined;
    this.clientMetadataUrl = identity.metadata_url;
  }

  get redirectUrl() {
    return this.back.url;
  }

  get clientMetadata() {
    return {
      client_name: this.name,
      redirect_uris: [this.back.url],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: this.authMethod,
    };
  }

  state() {
    this.expectedState = crypto.randomUUID();
    return this.expectedState;
  }

  clientInformation() {
    return this.information;
  }

  saveClientInformation(information) {
    this.information = information;
  }

  tokens() {
    return this.kept;
  }

  saveTokens(tokens) {
    this.kept = tokens;
  }

  saveDiscoveryState(discovery) {
    this.discovery = discovery;
  }

  discoveryState() {
    return this.discovery;
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  codeVerifier() {
    return this.verifier;
  }

  async redirectToAuthorization(url) {
    const arrival = this.back.next();
    await person.visit(url);
    this.arrived = await arrival;
    if (this.arrived.get('state') !== this.expectedState) throw new Error('the state is not the one that was sent');
  }

  invalidateCredentials(scope) {
    if (scope === 'all' || scope === 'tokens') this.kept = undefined;
    if ((scope === 'all' || scope === 'client') && !identity.client_id) this.information = undefined;
    if (scope === 'all' || scope === 'discovery') this.discovery = undefined;
  }
}

/**
 * Follows the test's steps.
 * @param {(tool: string, args: object) => Promise<object>} call from whatever state to the tool's result
 * @param {() => string | undefined} token the access token, where the client shows it
 */
export async function follow(call, token) {
  for await (const line of createInterface({ input: process.stdin })) {
    const step = JSON.parse(line);
    person.isThere = step.may_sign_in;
    const told = {};
    try {
      told.result = await call(step.tool, step.arguments);
    } catch (error) {
      told.refused = String(error?.stack ?? error);
    }
    console.log(JSON.stringify({ ...told, sign_ins: person.signIns, token: token() }));
  }
  process.exit(0); // an open event stream would keep the process alive
}

/**
 * A call from whatever state a client of the TypeScript SDKs is in: connects where it is not, and signs in when told to.
 * @param {() => Promise<{client: object, transport: object}>} connect a client, and the transport it was connected by
 * @param {(error: unknown) => boolean} wantsSignIn the SDK sent somebody to the authorization URL and waits for the code
 * @param {(transport: object) => Promise<void>} finish hands the code to the SDK
 */
export function signingIn(connect, wantsSignIn, finish) {
  let at;
  return async (tool, args) => {
    for (let isFirst = true; ; isFirst = false) {
      const transport = at?.transport;
      try {
        at ??= await connect();
        return (await at.client.callTool({ name: tool, arguments: args })).structuredContent;
      } catch (error) {
        if (!isFirst || !wantsSignIn(error)) throw error;
        await finish(error.transport ?? transport);
        at = undefined;
      }
    }
  };
}
