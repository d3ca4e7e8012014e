// Drives Bridgehead with the TypeScript SDK 1.x (@modelcontextprotocol/sdk), as the clients
// in the field do. What is checked stands in check.mjs.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { isInitializeRequest, McpError, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js';
import { run } from './check.mjs';

// The SDK always offers its newest revision but accepts any that it knows:
// the offer is changed on its way out, the rest of the handshake is the SDK's own.
class OfferingTransport extends StreamableHTTPClientTransport {
  constructor({ url, key, revision }) {
    super(url, { requestInit: { headers: { Authorization: `Bearer ${key}` } } });
    this.revision = revision;
  }

  send(message, options) {
    if (!isInitializeRequest(message)) return super.send(message, options);
    return super.send({ ...message, params: { ...message.params, protocolVersion: this.revision } }, options);
  }
}

await run({
  name: 'typescript_v1',
  revisions: SUPPORTED_PROTOCOL_VERSIONS,
  async connect(at) {
    const client = new Client({ name: 'bridgehead-end-to-end', version: '1.0.0' });
    const transport = new OfferingTransport(at);
    await client.connect(transport);
    return { client, negotiated: transport.protocolVersion };
  },
  isProtocolError: error => error instanceof McpError,
  httpStatus: error => (error instanceof StreamableHTTPError ? error.code : undefined),
});
