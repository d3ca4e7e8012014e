"""The Python SDK 2.x (mcp) signs in by itself: httpx2 with its OAuthClientProvider.

The conversation with the test is that of oauth.mjs. This SDK goes by its own clock, so a step says in `moved` by how
many seconds time has been moved.
"""

import asyncio
import json
import logging
import os
import sys
import time
import traceback
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

URL = os.environ["MCP_URL"]
IDENTITY = json.loads(os.environ["CLIENT"])


class Memory:
    """A TokenStorage that forgets with the process."""

    def __init__(self, client):
        self.client, self.tokens = client, None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


class Person:
    """Somebody with a browser, and the callback that the browser comes to."""

    def __init__(self):
        self.sign_ins, self.is_there, self.arrived = 0, False, None

    async def listen(self):
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"

    async def _answer(self, reader, writer):
        target = (await reader.readline()).split()[1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nYou may close this window.")
        await writer.drain()
        writer.close()
        if urlsplit(target).path == "/callback":
            self.arrived = parse_qs(urlsplit(target).query)

    async def visit(self, url):
        self.sign_ins += 1
        if not self.is_there:
            raise RuntimeError("a person was asked to sign in")
        order = {"url": url, "person": json.loads(os.environ["PERSON"])}
        async with httpx2.AsyncClient(timeout=60) as http:
            visit = (await http.post(os.environ["BROWSER_URL"] + "/authorize", content=json.dumps(order))).json()
        if "arrived" not in visit:
            raise RuntimeError(f"the browser did not come back: {visit}")

    async def answer(self):
        first = lambda name: self.arrived.get(name, [None])[0]
        return AuthorizationCodeResult(code=first("code"), state=first("state"), iss=first("iss"))


async def call(provider, tool, arguments):
    async with (
        httpx2.AsyncClient(auth=provider, timeout=60) as http,
        streamable_http_client(URL, http_client=http) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        return (await session.call_tool(tool, arguments)).structured_content


async def main():
    # What is refused on purpose would look like a fault of the test.
    logging.disable(logging.CRITICAL)
    person = Person()
    back = await person.listen()
    registered = None
    if "client_id" in IDENTITY:
        registered = OAuthClientInformationFull(**IDENTITY, redirect_uris=[back], token_endpoint_auth_method="client_secret_post")
    memory = Memory(registered)
    provider = OAuthClientProvider(
        server_url=URL,
        client_metadata=OAuthClientMetadata(client_name="Python SDK", redirect_uris=[back]),
        storage=memory,
        redirect_handler=person.visit,
        callback_handler=person.answer,
        client_metadata_url=IDENTITY.get("metadata_url"),
    )
    really = time.time
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        step = json.loads(line)
        person.is_there = step["may_sign_in"]
        time.time = lambda: really() + step["moved"]
        told = {}
        try:
            told["result"] = await call(provider, step["tool"], step["arguments"])
        except Exception as error:
            told["refused"] = "".join(traceback.format_exception(error))
        token = memory.tokens and memory.tokens.access_token
        print(json.dumps({**told, "sign_ins": person.sign_ins, "token": token}), flush=True)


asyncio.run(main())
