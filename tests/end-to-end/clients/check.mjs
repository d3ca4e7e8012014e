// What both TypeScript SDKs must see when they talk to Bridgehead: runs the plan against a
// connected client and reports the verdict. It knows nothing of either SDK.
//
// Exit codes: 0 every check held, 1 one did not, 2 called wrongly, 3 the SDK cannot speak the revision.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

const STRUCTURED_SINCE = '2025-06-18';
const INVALID_PARAMS = -32602;

/**
 * @param {object} sdk
 * @param {string} sdk.name
 * @param {string[]} sdk.revisions protocol revisions the SDK speaks
 * @param {(at: {url: URL, key: string, revision: string}) => Promise<{client: object, negotiated: string | undefined}>} sdk.connect
 * @param {(error: unknown) => boolean} sdk.isProtocolError a JSON-RPC error that the server sent
 * @param {(error: unknown) => number | undefined} sdk.httpStatus
 */
export async function run(sdk) {
  const { BRIDGEHEAD_URL: url, BRIDGEHEAD_KEY: key, BRIDGEHEAD_REVISION: revision } = process.env;
  const plan = process.argv[2];
  if (!url || !key || !revision || !plan) {
    leave(2, 'usage: BRIDGEHEAD_URL=… BRIDGEHEAD_KEY=… BRIDGEHEAD_REVISION=… SCRIPT PLAN.json');
  }
  if (!sdk.revisions.includes(revision)) {
    leave(3, `${sdk.name} cannot speak ${revision}; it speaks ${sdk.revisions.join(', ')}`);
  }
  const checks = new Checks();
  try {
    const at = { url: new URL(url), key, revision };
    await follow(sdk, at, JSON.parse(readFileSync(plan, 'utf8')), checks);
    await refused(sdk, { ...at, key: `${key}-wrong` }, checks);
  } catch (error) {
    const told = error instanceof Unmet ? error.message : (error?.stack ?? String(error));
    leave(1, `${sdk.name} at ${revision}, after ${checks.count} checks: ${told}`);
  }
  console.log(JSON.stringify({ client: sdk.name, revision, checks: checks.count }));
  process.exit(0); // an open event stream would keep the process alive
}

async function follow(sdk, at, plan, checks) {
  const { client, negotiated } = await sdk.connect(at);
  checks.equal('negotiated revision', negotiated, at.revision);

  const tools = await listTools(client);
  for (const tool of tools) {
    checks.holds(`tool ${tool.name} has a description`, tool.description?.trim(), tool);
    checks.equal(`inputSchema.type of ${tool.name}`, tool.inputSchema?.type, 'object');
    if (tool.outputSchema) checks.equal(`outputSchema.type of ${tool.name}`, tool.outputSchema.type, 'object');
  }
  const byName = new Map(tools.map(tool => [tool.name, tool]));
  checks.equal('number of distinct tool names', byName.size, tools.length);
  for (const name of plan.list_contains) checks.holds(`tools/list contains ${name}`, byName.has(name), [...byName.keys()]);

  const structured = at.revision >= STRUCTURED_SINCE;
  for (const call of plan.calls) {
    const what = `${call.tool}(${JSON.stringify(call.arguments)})`;
    const result = await client.callTool({ name: call.tool, arguments: call.arguments });
    if (call.expect_error_code) failed(what, result, call.expect_error_code, checks);
    else succeeded(what, result, call, byName.get(call.tool), structured, checks);
  }

  checks.holds(`tools/list does not contain ${plan.unknown_tool}`, !byName.has(plan.unknown_tool));
  const error = await rejection(() => client.callTool({ name: plan.unknown_tool, arguments: {} }));
  checks.holds('a call of an unknown tool is a JSON-RPC error', sdk.isProtocolError(error), String(error));
  checks.equal('its code', error.code, INVALID_PARAMS);
  await client.close();
}

function succeeded(what, result, call, tool, structured, checks) {
  checks.holds(`${what} succeeds`, !result.isError, result);
  if (call.expect_structured === undefined) return;
  if (structured) {
    checks.holds(`${call.tool} has an outputSchema`, tool?.outputSchema, tool);
    checks.holds(`${what} has structuredContent`, result.structuredContent, result);
  }
  const text = jsonText(what, result, checks);
  checks.contains(`text of ${what}`, text, call.expect_structured);
  if (result.structuredContent !== undefined) checks.equal(`structuredContent of ${what} and its text`, result.structuredContent, text);
}

function failed(what, result, code, checks) {
  checks.equal(`isError of ${what}`, result.isError, true);
  const text = jsonText(what, result, checks);
  checks.equal(`code in the text of ${what}`, text?.code, code);
  checks.equal(`_meta["bridgehead/error"] of ${what} and its text`, result._meta?.['bridgehead/error'], text);
  checks.equal(`structuredContent of ${what}`, result.structuredContent, undefined);
}

async function refused(sdk, at, checks) {
  const error = await rejection(async () => {
    const { client } = await sdk.connect(at);
    await client.listTools();
  });
  checks.holds('a wrong key is refused', error);
  checks.equal(`HTTP status of the refusal (${error})`, sdk.httpStatus(error), 401);
}

async function listTools(client) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? undefined : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

function jsonText(what, result, checks) {
  const text = result.content.find(block => block.type === 'text')?.text;
  try {
    return JSON.parse(text);
  } catch {
    checks.holds(`the text of ${what} is JSON`, false, result);
  }
}

async function rejection(action) {
  try {
    await action();
  } catch (error) {
    return error;
  }
  return undefined;
}

class Unmet extends Error {}

class Checks {
  count = 0;

  holds(what, truth, seen) {
    if (!truth) throw new Unmet(`expected: ${what}\n     saw: ${JSON.stringify(seen)}`);
    this.count += 1;
  }

  equal(what, actual, expected) {
    this.holds(`${what} = ${JSON.stringify(expected)}`, isDeepStrictEqual(actual, expected), actual);
  }

  contains(what, actual, expected) {
    this.holds(`${what} contains ${JSON.stringify(expected)}`, includes(actual, expected), actual);
  }
}

/** Objects may have further members; arrays and everything else must be the same. */
function includes(actual, expected) {
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && actual.length === expected.length && expected.every((item, i) => includes(actual[i], item));
  }
  if (expected !== null && typeof expected === 'object') {
    return (
      actual !== null &&
      typeof actual === 'object' &&
      Object.entries(expected).every(([key, value]) => Object.hasOwn(actual, key) && includes(actual[key], value))
    );
  }
  return Object.is(actual, expected);
}

function leave(code, why) {
  console.error(why);
  process.exit(code);
}
