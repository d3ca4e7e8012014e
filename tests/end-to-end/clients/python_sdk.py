"""Drives Bridgehead with the Python SDK 2.x (mcp), which speaks both the handshake revisions and 2026-07-28.

The checks are those of check.mjs, and so are the exit codes: 0 every check held, 1 one did not,
2 called wrongly, 3 the SDK cannot speak the revision. Needs Python 3.11 for `except*`.
"""

import json
import os
import sys
import traceback
from contextlib import asynccontextmanager

import anyio
import httpx2
import mcp_types as types
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

NAME = "python_sdk"
REVISIONS = (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS)
STRUCTURED_SINCE = "2025-06-18"


class Unmet(Exception):
    """A check that did not hold."""


class Checks:
    def __init__(self):
        self.count = 0

    def holds(self, what, truth, seen=None):
        if not truth:
            raise Unmet(f"expected: {what}\n     saw: {seen!r}")
        self.count += 1

    def equal(self, what, actual, expected):
        self.holds(f"{what} = {expected!r}", same(actual, expected), actual)

    def contains(self, what, actual, expected):
        self.holds(f"{what} contains {expected!r}", includes(actual, expected), actual)


@asynccontextmanager
async def connect(url, key, revision, statuses):
    """A session at exactly `revision`; the status of every HTTP response goes into `statuses`."""

    async def note(response):
        statuses.append(response.status_code)

    async with (
        httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"}, timeout=30, event_hooks={"response": [note]}
        ) as http,
        streamable_http_client(url, http_client=http) as (read, write),
        ClientSession(read, write) as session,
    ):
        if revision in MODERN_PROTOCOL_VERSIONS:
            await session.discover()
        else:
            await initialize(session, revision)
        yield session


async def initialize(session, revision):
    """ClientSession.initialize() can only offer the newest handshake revision; this is the same exchange with another offer."""
    result = await session.send_request(
        types.InitializeRequest(
            params=types.InitializeRequestParams(
                protocol_version=revision,
                capabilities=types.ClientCapabilities(),
                client_info=types.Implementation(name="bridgehead-end-to-end", version="1.0.0"),
            )
        ),
        types.InitializeResult,
    )
    session.adopt(result)
    await session.send_notification(types.InitializedNotification())


async def follow(session, revision, plan, checks):
    checks.equal("negotiated revision", session.protocol_version, revision)

    tools = await list_tools(session)
    for tool in tools:
        checks.holds(f"tool {tool.name} has a description", (tool.description or "").strip(), tool)
        checks.equal(f"inputSchema.type of {tool.name}", tool.input_schema.get("type"), "object")
        if tool.output_schema is not None:
            checks.equal(f"outputSchema.type of {tool.name}", tool.output_schema.get("type"), "object")
    by_name = {tool.name: tool for tool in tools}
    checks.equal("number of distinct tool names", len(by_name), len(tools))
    for name in plan["list_contains"]:
        checks.holds(f"tools/list contains {name}", name in by_name, list(by_name))

    for call in plan["calls"]:
        what = f"{call['tool']}({json.dumps(call['arguments'])})"
        result = await session.call_tool(call["tool"], call["arguments"])
        if call.get("expect_error_code"):
            failed(what, result, call["expect_error_code"], checks)
        else:
            succeeded(what, result, call, by_name.get(call["tool"]), revision >= STRUCTURED_SINCE, checks)

    checks.holds(f"tools/list does not contain {plan['unknown_tool']}", plan["unknown_tool"] not in by_name)
    try:
        seen = await session.call_tool(plan["unknown_tool"], {})
    except MCPError as error:
        checks.equal(f"code of a call of an unknown tool ({error})", error.code, types.INVALID_PARAMS)
    else:
        checks.holds("a call of an unknown tool is a JSON-RPC error", False, seen)


def succeeded(what, result, call, tool, structured, checks):
    checks.holds(f"{what} succeeds", not result.is_error, result)
    if "expect_structured" not in call:
        return
    if structured:
        checks.holds(f"{call['tool']} has an outputSchema", tool is not None and tool.output_schema, tool)
        checks.holds(f"{what} has structuredContent", result.structured_content is not None, result)
    text = json_text(what, result, checks)
    checks.contains(f"text of {what}", text, call["expect_structured"])
    if result.structured_content is not None:
        checks.equal(f"structuredContent of {what} and its text", result.structured_content, text)


def failed(what, result, code, checks):
    checks.equal(f"isError of {what}", result.is_error, True)
    text = json_text(what, result, checks)
    checks.holds(f"the text of {what} is an object", isinstance(text, dict), text)
    checks.equal(f"code in the text of {what}", text.get("code"), code)
    checks.equal(f'_meta["bridgehead/error"] of {what} and its text', (result.meta or {}).get("bridgehead/error"), text)
    checks.equal(f"structuredContent of {what}", result.structured_content, None)


async def refused(url, key, revision, checks):
    """The SDK tells a 401 as one more MCPError, so the status is read below it."""
    statuses = []
    raised = []
    try:
        async with connect(url, key, revision, statuses) as session:
            await session.list_tools()
    except* MCPError as group:
        raised = group.exceptions
    checks.holds("a wrong key is refused", raised, statuses)
    checks.equal("HTTP status of the refusal", statuses, [401])


async def list_tools(session):
    tools, cursor = [], None
    while True:
        page = await session.list_tools(params=cursor and types.PaginatedRequestParams(cursor=cursor))
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools


def json_text(what, result, checks):
    text = next((block.text for block in result.content if block.type == "text"), "")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        checks.holds(f"the text of {what} is JSON", False, result)


def same(actual, expected):
    """Equality of JSON: 1 and 1.0 are one number, True is not 1."""
    return json.dumps(normal(actual), sort_keys=True) == json.dumps(normal(expected), sort_keys=True)


def normal(value):
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def includes(actual, expected):
    """Objects may have further members; arrays and everything else must be the same."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and includes(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(includes(a, e) for a, e in zip(actual, expected))
        )
    return same(actual, expected)


async def run(url, key, revision, plan, checks):
    async with connect(url, key, revision, []) as session:
        await follow(session, revision, plan, checks)
    await refused(url, f"{key}-wrong", revision, checks)


def causes(error):
    """The exceptions inside the groups that task groups wrap around them."""
    if isinstance(error, BaseExceptionGroup):
        return [cause for part in error.exceptions for cause in causes(part)]
    return [error]


def main():
    url, key, revision = (os.environ.get(f"BRIDGEHEAD_{name}") for name in ("URL", "KEY", "REVISION"))
    if not (url and key and revision and len(sys.argv) == 2):
        leave(2, f"usage: BRIDGEHEAD_URL=… BRIDGEHEAD_KEY=… BRIDGEHEAD_REVISION=… {sys.argv[0]} PLAN.json")
    if revision not in REVISIONS:
        leave(3, f"{NAME} cannot speak {revision}; it speaks {', '.join(REVISIONS)}")
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    checks = Checks()
    try:
        anyio.run(run, url, key, revision, plan, checks)
    except Exception as error:
        told = "\n".join(
            str(cause) if isinstance(cause, Unmet) else "".join(traceback.format_exception(cause)) for cause in causes(error)
        )
        leave(1, f"{NAME} at {revision}, after {checks.count} checks: {told}")
    print(json.dumps({"client": NAME, "revision": revision, "checks": checks.count}))


def leave(code, why):
    print(why, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
