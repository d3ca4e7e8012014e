-- What the authorization server remembers. Times are microseconds since 1970-01-01T00:00:00Z. Texts are
-- compared byte by byte, as everywhere in Bridgehead.

-- Clients, whether they introduced themselves or the operator made them. metadata is JSON (RFC 7591 §2).
CREATE TABLE bridgehead_oauth_client (
  id                  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  kind                TEXT    NOT NULL,
  metadata            TEXT    NOT NULL,
  secret_hash         BYTEA   CHECK (length(secret_hash) = 32),
  secret_pepper       TEXT,
  registration_hash   BYTEA   CHECK (length(registration_hash) = 32),
  registration_pepper TEXT,
  created_at          BIGINT  NOT NULL,
  last_seen_at        BIGINT,
  fetched_at          BIGINT,
  fresh_until         BIGINT,
  revoked_at          BIGINT
);

CREATE INDEX bridgehead_oauth_client_in_order ON bridgehead_oauth_client (kind, created_at, id);

-- Authorization codes. grant_id is what was made of one that was redeemed.
CREATE TABLE bridgehead_oauth_code (
  id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  hash           BYTEA   NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT    NOT NULL,
  client         TEXT COLLATE "C" NOT NULL,
  subject        TEXT COLLATE "C" NOT NULL,
  endpoint       TEXT    NOT NULL,
  resource       TEXT    NOT NULL,
  scopes         TEXT    NOT NULL,
  redirect_uri   TEXT    NOT NULL,
  code_challenge TEXT    NOT NULL,
  created_at     BIGINT  NOT NULL,
  expires_at     BIGINT  NOT NULL,
  grant_id       TEXT COLLATE "C"
);

CREATE INDEX bridgehead_oauth_code_of_client ON bridgehead_oauth_code (client);
CREATE INDEX bridgehead_oauth_code_of_subject ON bridgehead_oauth_code (subject);
CREATE INDEX bridgehead_oauth_code_by_end ON bridgehead_oauth_code (expires_at);

-- What teammates allowed clients: one family of refresh tokens each. generation and what follows up to
-- previous_pepper are absent where the client is given no refresh tokens.
CREATE TABLE bridgehead_oauth_grant (
  id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  client          TEXT COLLATE "C" NOT NULL,
  client_name     TEXT,
  subject         TEXT COLLATE "C" NOT NULL,
  endpoint        TEXT    NOT NULL,
  resource        TEXT    NOT NULL,
  scopes          TEXT    NOT NULL,
  created_at      BIGINT  NOT NULL,
  refreshed_at    BIGINT  NOT NULL,
  expires_at      BIGINT  NOT NULL,
  ends_at         BIGINT  NOT NULL,
  generation      BIGINT,
  current_hash    BYTEA   CHECK (length(current_hash) = 32),
  current_pepper  TEXT,
  issuer_key      TEXT,
  previous_hash   BYTEA   CHECK (length(previous_hash) = 32),
  previous_pepper TEXT,
  revoked_at      BIGINT,
  revoked_why     TEXT
);

CREATE INDEX bridgehead_oauth_grant_in_order ON bridgehead_oauth_grant (created_at, id);
CREATE INDEX bridgehead_oauth_grant_of_client ON bridgehead_oauth_grant (client);
CREATE INDEX bridgehead_oauth_grant_of_subject ON bridgehead_oauth_grant (subject);

CREATE TABLE bridgehead_oauth_access_token (
  id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  hash           BYTEA   NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT    NOT NULL,
  grant_id       TEXT COLLATE "C" NOT NULL,
  scopes         TEXT    NOT NULL,
  created_at     BIGINT  NOT NULL,
  expires_at     BIGINT  NOT NULL,
  revoked_at     BIGINT
);

CREATE INDEX bridgehead_oauth_access_token_of_grant ON bridgehead_oauth_access_token (grant_id);
CREATE INDEX bridgehead_oauth_access_token_by_end ON bridgehead_oauth_access_token (expires_at);

-- Assertions of clients that were used, until they expire.
CREATE TABLE bridgehead_oauth_assertion (
  hash       BYTEA   NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  expires_at BIGINT  NOT NULL
);

CREATE INDEX bridgehead_oauth_assertion_by_end ON bridgehead_oauth_assertion (expires_at);
