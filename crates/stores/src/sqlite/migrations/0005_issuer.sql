-- What the authorization server remembers. Times are microseconds since 1970-01-01T00:00:00Z.

-- Clients, whether they introduced themselves or the operator made them. metadata is JSON (RFC 7591 §2).
CREATE TABLE oauth_client (
  id                  TEXT    NOT NULL PRIMARY KEY,
  kind                TEXT    NOT NULL,
  metadata            TEXT    NOT NULL,
  secret_hash         BLOB    CHECK (length(secret_hash) = 32),
  secret_pepper       TEXT,
  registration_hash   BLOB    CHECK (length(registration_hash) = 32),
  registration_pepper TEXT,
  created_at          INTEGER NOT NULL,
  last_seen_at        INTEGER,
  fetched_at          INTEGER,
  fresh_until         INTEGER,
  revoked_at          INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_client_in_order ON oauth_client (kind, created_at, id);

-- Authorization codes. grant_id is what was made of one that was redeemed.
CREATE TABLE oauth_code (
  id             TEXT    NOT NULL PRIMARY KEY,
  hash           BLOB    NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT    NOT NULL,
  client         TEXT    NOT NULL,
  subject        TEXT    NOT NULL,
  endpoint       TEXT    NOT NULL,
  resource       TEXT    NOT NULL,
  scopes         TEXT    NOT NULL,
  redirect_uri   TEXT    NOT NULL,
  code_challenge TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  grant_id       TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_code_of_client ON oauth_code (client);
CREATE INDEX oauth_code_of_subject ON oauth_code (subject);
CREATE INDEX oauth_code_by_end ON oauth_code (expires_at);

-- What teammates allowed clients: one family of refresh tokens each. generation and what follows up to
-- previous_pepper are absent where the client is given no refresh tokens.
CREATE TABLE oauth_grant (
  id              TEXT    NOT NULL PRIMARY KEY,
  client          TEXT    NOT NULL,
  client_name     TEXT,
  subject         TEXT    NOT NULL,
  endpoint        TEXT    NOT NULL,
  resource        TEXT    NOT NULL,
  scopes          TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  refreshed_at    INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  ends_at         INTEGER NOT NULL,
  generation      INTEGER,
  current_hash    BLOB    CHECK (length(current_hash) = 32),
  current_pepper  TEXT,
  issuer_key      TEXT,
  previous_hash   BLOB    CHECK (length(previous_hash) = 32),
  previous_pepper TEXT,
  revoked_at      INTEGER,
  revoked_why     TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_grant_in_order ON oauth_grant (created_at, id);
CREATE INDEX oauth_grant_of_client ON oauth_grant (client);
CREATE INDEX oauth_grant_of_subject ON oauth_grant (subject);

CREATE TABLE oauth_access_token (
  id             TEXT    NOT NULL PRIMARY KEY,
  hash           BLOB    NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT    NOT NULL,
  grant_id       TEXT    NOT NULL,
  scopes         TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  revoked_at     INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_access_token_of_grant ON oauth_access_token (grant_id);
CREATE INDEX oauth_access_token_by_end ON oauth_access_token (expires_at);

-- Assertions of clients that were used, until they expire.
CREATE TABLE oauth_assertion (
  hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_assertion_by_end ON oauth_assertion (expires_at);
