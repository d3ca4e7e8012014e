// Drives Bridgehead with the TypeScript SDK 2.x (@modelcontextprotocol/client), which speaks both
// the handshake revisions and 2026-07-28. What is checked stands in check.mjs.
import { Client, ProtocolError, SdkHttpError, StreamableHTTPClientTransport, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/client';
import { run } from './check.mjs';

const STATELESS = '2026-07-28';

await run({
  name: 'typescript_v2',
  revisions: [...SUPPORTED_PROTOCOL_VERSIONS, STATELESS],
  async connect({ url, key, revision }) {
    const client = new Client(
      { name: 'bridgehead-end-to-end', version: '1.0.0' },
      revision === STATELESS
        ? { versionNegotiation: { mode: { pin: revision } } } // server/discover, no falling back
        : { supportedProtocolVersions: [revision] }, // initialize, offering and accepting this one alone
    );
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: { Authorization: `Bearer ${key}` } } }));
    return { client, negotiated: client.getNegotiatedProtocolVersion() };
  },
  isProtocolError: error => error instanceof ProtocolError,
  httpStatus: error => (error instanceof SdkHttpError ? error.status : undefined),
});
