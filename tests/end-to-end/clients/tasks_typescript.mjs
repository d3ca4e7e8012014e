// Drives tasks (MCP 2026-07-28, SEP-2663) with the TypeScript SDK and its package for them. Each run is a client of its
// own, which knows of a task what an earlier one printed.
//
//   begin TOOL          calls a tool; prints the reference of the task that it became
//   settle REFERENCE    waits for the end of that task; prints its outcome
//   cancel REFERENCE    asks that it stops; prints what is known of it then
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createTaskSessionFromClient } from '@modelcontextprotocol/ext-tasks/client';

const REVISION = '2026-07-28';
const clientInfo = { name: 'bridgehead-end-to-end', version: '1.0.0' };
const { BRIDGEHEAD_URL: url, BRIDGEHEAD_KEY: key } = process.env;
const [verb, argument] = process.argv.slice(2);

const client = new Client(clientInfo, { versionNegotiation: { mode: { pin: REVISION } } });
const authorization = { Authorization: `Bearer ${key}` };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: authorization } }));
const session = createTaskSessionFromClient(client, {
  endpointId: 'bridgehead', // the same for every replica
  rawDispatch,
  v2RequestFraming: { protocolVersion: REVISION, clientInfo, clientCapabilities: {} },
});

console.log(JSON.stringify(await run()));
process.exit(0);

async function run() {
  if (verb === 'begin') {
    const execution = await session.callTool(argument, {});
    return execution.kind === 'task' ? execution.serializeReference() : { immediate: await execution.result() };
  }
  const reference = JSON.parse(argument);
  if (verb === 'cancel') {
    const task = session.task(reference.taskId);
    await task.cancel();
    return { status: (await task.snapshot()).status };
  }
  const execution = await session.resumeTask(reference);
  const { outcome } = await execution.settle();
  return outcome;
}

// The SDK itself cannot read an answer that is a task, so its package has requests sent by whoever uses it.
async function rawDispatch(request) {
  const { method, params } = request;
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      ...authorization,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': method,
      'mcp-name': params.name ?? params.taskId,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const text = await response.text();
  const events = text.split('\n').filter(line => line.startsWith('data:'));
  const message = JSON.parse(events.length > 0 ? events.at(-1).slice('data:'.length) : text);
  return message.error ? { kind: 'error', error: message.error } : { kind: 'result', result: message.result };
}
