"""An identity provider of another make: oidc-provider-mock (PyPI, over Authlib). It signs a person in at one click, knows
neither PKCE nor `iss` in its answers, and takes any client. Prints {issuer, control} in one line, and ends with its input.

usage: identity_provider_other.py OPTIONS, JSON with people {ID: claims}. The control port is its own: see its documentation
(`PUT /users/ID` with claims, `POST /users/ID/revoke-tokens`).
"""

import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from oidc_provider_mock import User, run_server_in_thread  # noqa: E402

options = json.loads(sys.argv[1])
people = [User(sub=sub, claims=claims) for sub, claims in options["people"].items()]

with run_server_in_thread(user_claims=people) as server:
    issuer = f"http://localhost:{server.server_port}"
    print(json.dumps({"issuer": issuer, "control": issuer}), flush=True)
    # The test that started this holds the other end.
    sys.stdin.read()
