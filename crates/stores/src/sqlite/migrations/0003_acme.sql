-- What replicas share to get a certificate over ACME. Times are microseconds since
-- 1970-01-01T00:00:00Z. Private keys and credentials are sealed.
CREATE TABLE acme_account (
  name        TEXT NOT NULL PRIMARY KEY,
  credentials BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acme_certificate (
  id          TEXT    NOT NULL PRIMARY KEY,
  chain       TEXT    NOT NULL,
  sealed_key  BLOB    NOT NULL,
  not_before  INTEGER NOT NULL,
  not_after   INTEGER NOT NULL,
  obtained_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acme_challenge (
  kind       TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  answer     TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- Whose turn it is to order, and what came of earlier attempts.
CREATE TABLE acme_lease (
  id         TEXT    NOT NULL PRIMARY KEY,
  owner      TEXT,
  held_until INTEGER,
  failures   INTEGER,
  failed_at  INTEGER,
  retry_at   INTEGER
) STRICT, WITHOUT ROWID;
