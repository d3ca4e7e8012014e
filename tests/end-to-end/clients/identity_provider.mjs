// An identity provider with people of its own: oidc-provider (npm) behind a sign-in page that a driven browser can fill, and
// a control port by which a test changes what it knows. Prints {issuer, control} in one line, and ends with its input.
//
// usage: identity_provider.mjs OPTIONS, JSON with
//   people        {ID: {password?, disabled?, ...claims}}; the id is the `sub`, the password "PASSWORD-OF-ID" where none is given
//   registration  whether clients can register by themselves (RFC 7591); default false
//   claims_in     "id_token" | "userinfo": where mail, name and groups are to be found; default "id_token"
//   algorithm     what ID tokens and JWT access tokens are signed with; default "RS256"
//   access_tokens "jwt" | "opaque": of what form those are that name a resource; default "jwt"
//
// Clients may ask for a JWT access token by `resource` (RFC 8707): the audience is the resource, the claims are the person's.
//
// The control port takes POSTs of JSON:
//   /client   metadata of a client (RFC 7591 names), with its client_id and client_secret
//   /person   {id, ...} merged into what is known of this person; {disabled: true} shuts them out everywhere
//   /rotate   {keep?: boolean}: signs with a new key from now on; the old one stays in the key set where it is kept
//   /later    {seconds}: the provider's clock goes so far ahead of the machine's
//   /asked    {}: which requests came, as "METHOD /path", and forgets them
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Provider, { errors, interactionPolicy } from 'oidc-provider';

const { people, registration = false, claims_in = 'id_token', algorithm = 'RS256', access_tokens = 'jwt' } = JSON.parse(process.argv[2]);
const CLAIMS = ['email', 'email_verified', 'name', 'groups', 'preferred_username'];

const machine = Date.now;
let ahead = 0;
Date.now = () => machine() + ahead * 1000;

/** What the provider stores, in memory: unlike its own, one that outlives a change of keys. */
const stored = new Map();
class Store {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) { stored.set(this.key(id), payload); }
  async find(id) { return stored.get(this.key(id)); }
  async findByUid(uid) { return [...stored].find(([key, value]) => key.startsWith(`${this.model}:`) && value.uid === uid)?.[1]; }
  async findByUserCode() { return undefined; }
  async destroy(id) { stored.delete(this.key(id)); }
  async consume(id) { stored.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async revokeByGrantId(grant) {
    for (const [key, value] of stored) if (value.grantId === grant) stored.delete(key);
  }
}

function newKey() {
  const kind = algorithm.startsWith('ES') ? ['ec', { namedCurve: 'P-256' }] : ['rsa', { modulusLength: 2048 }];
  const { privateKey } = generateKeyPairSync(...kind);
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: algorithm, use: 'sig' };
}

const known = id => {
  const { password, disabled, ...claims } = people[id] ?? {};
  return people[id] && !disabled && { sub: id, ...claims };
};

async function findAccount(_context, id) {
  return known(id) ? { accountId: id, claims: async () => known(id) } : undefined;
}

/** Whoever is signed in has agreed to all that a client asks for. */
async function loadExistingGrant(context) {
  const { provider, client, session, params } = context.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope ?? 'openid');
  for (const resource of [params.resource ?? []].flat()) grant.addResourceScope(resource, params.scope ?? '');
  await grant.save();
  return grant;
}

const configuration = keys => ({
  adapter: Store,
  jwks: { keys },
  cookies: { keys: ['a key of this test'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username', 'groups'] },
  conformIdTokenClaims: claims_in === 'userinfo',
  clientDefaults: { id_token_signed_response_alg: algorithm, grant_types: ['authorization_code', 'refresh_token'] },
  extraClientMetadata: { properties: [] },
  enabledJWA: { idTokenSigningAlgValues: [algorithm] },
  findAccount,
  loadExistingGrant,
  issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  extraTokenClaims: (_context, token) => {
    const { sub, ...claims } = known(token.accountId) ?? {};
    return claims;
  },
  clientBasedCORS: () => true,
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'tools:read', 'tools:write'],
  interactions: { policy: policy(), url: (_context, interaction) => `/sign-in/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: registration },
    registrationManagement: { enabled: registration },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (context, form) => {
        context.body = page('Sign out', form.replace('</form>', '<button name="logout" value="yes">Sign out there</button></form>'));
      },
    },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({
        audience: resource,
        scope: 'tools:read tools:write',
        accessTokenFormat: access_tokens,
        accessTokenTTL: 900,
        jwt: { sign: { alg: algorithm } },
      }),
    },
  },
  ttl: { AccessToken: 900, AuthorizationCode: 60, Grant: 1_209_600, IdToken: 3600, Interaction: 3600, RefreshToken: 1_209_600, Session: 1_209_600 },
  renderError: (context, out) => {
    context.body = page('Error', `<p>${escaped(JSON.stringify(out))}</p>`);
  },
});

/** Nobody is asked for consent but where a client wants it (`prompt=consent`, as with `offline_access`). */
function policy() {
  const prompts = interactionPolicy.base();
  prompts.get('consent').checks.clear();
  return prompts;
}

const escaped = text => text.replace(/[&<>"']/g, letter => `&#${letter.charCodeAt(0)};`);
const page = (title, inner) => `<!doctype html><html lang="en"><title>${title} · Directory</title><main><h1>${title}</h1>${inner}</main></html>`;
const form = fault => page('Directory', `<p role="alert">${escaped(fault)}</p><form method="post">
  <label>Name in the directory <input name="id"></label><label>Password in the directory <input name="password" type="password"></label>
  <button name="do" value="enter">Enter</button><button name="do" value="cancel">Cancel</button></form>`);

/** The sign-in page, and what was entered there. */
async function signIn(request, response) {
  const answer = fault => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(form(fault));
  const { prompt } = await provider.interactionDetails(request, response);
  if (prompt.name === 'consent') return provider.interactionFinished(request, response, { consent: {} });
  if (request.method !== 'POST') return answer('');
  const entered = new URLSearchParams(await body(request));
  if (entered.get('do') === 'cancel') {
    const error = { error: 'access_denied', error_description: 'The person pressed Cancel' };
    return provider.interactionFinished(request, response, error);
  }
  const id = entered.get('id');
  const right = known(id) && entered.get('password') === (people[id].password ?? `PASSWORD-OF-${id}`);
  if (!right) return answer('Name and password do not belong together.');
  return provider.interactionFinished(request, response, { login: { accountId: id, remember: false }, consent: {} });
}

async function body(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

let asked = [];
const CONTROLS = {
  '/client': async ({ client_id, ...metadata }) => stored.set(`Client:${client_id}`, { client_id, ...metadata }),
  '/person': ({ id, ...change }) => { people[id] = { ...people[id], ...change }; },
  '/rotate': ({ keep = true }) => {
    keys = [newKey(), ...(keep ? keys : [])];
    serveWith(keys);
  },
  '/later': ({ seconds }) => { ahead += seconds; },
  '/asked': () => {
    const came = asked;
    asked = [];
    return came;
  },
};

const listening = server => new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

let keys = [newKey()];
let provider;
let handle;
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url.split('?')[0]}`);
  const answer = request.url.startsWith('/sign-in/') ? signIn(request, response) : handle(request, response);
  Promise.resolve(answer).catch(error => {
    const status = error instanceof errors.SessionNotFound ? 400 : 500;
    response.writeHead(status, { 'content-type': 'text/html' }).end(page('Error', escaped(String(error?.stack ?? error))));
  });
});
// Another host name than the tests' own 127.0.0.1: cookies of one host go to all its ports.
const issuer = `http://localhost:${await listening(server)}`;

function serveWith(keys) {
  provider = new Provider(issuer, configuration(keys));
  provider.on('server_error', (_context, error) => console.error(error));
  handle = provider.callback();
}
serveWith(keys);

const control = createServer(async (request, response) => {
  try {
    const result = await CONTROLS[request.url](JSON.parse(await body(request)));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result ?? null));
  } catch (error) {
    response.writeHead(500).end(String(error?.stack ?? error));
  }
});
console.log(JSON.stringify({ issuer, control: `http://127.0.0.1:${await listening(control)}` }));

// The test that started this holds the other end.
process.stdin.resume().on('end', () => process.exit(0));
