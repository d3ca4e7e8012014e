"""FastMCP with its own OAuth: the in-memory provider that comes with it, at the port in the first argument."""

import sys

from fastmcp import FastMCP
from fastmcp.server.auth.auth import ClientRegistrationOptions, RevocationOptions
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider

PORT = int(sys.argv[1])

auth = InMemoryOAuthProvider(
    base_url=f"http://127.0.0.1:{PORT}",
    client_registration_options=ClientRegistrationOptions(enabled=True),
    revocation_options=RevocationOptions(enabled=True),
)
mcp = FastMCP("Articles", auth=auth)


@mcp.tool(annotations={"readOnlyHint": True})
def list_articles() -> list[dict[str, str]]:
    """Lists the articles of the warehouse, each with its stock keeping unit and its name."""
    return [{"sku": "A-1", "name": "Mug"}, {"sku": "A-2", "name": "Plate"}]


mcp.run(transport="http", host="127.0.0.1", port=PORT)
