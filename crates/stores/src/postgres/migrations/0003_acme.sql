-- What replicas share to get a certificate over ACME. Times are microseconds since
-- 1970-01-01T00:00:00Z. Private keys and credentials are sealed.
CREATE TABLE bridgehead_acme_account (
  name        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  credentials BYTEA NOT NULL
);

CREATE TABLE bridgehead_acme_certificate (
  id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  chain       TEXT   NOT NULL,
  sealed_key  BYTEA  NOT NULL,
  not_before  BIGINT NOT NULL,
  not_after   BIGINT NOT NULL,
  obtained_at BIGINT NOT NULL
);

CREATE TABLE bridgehead_acme_challenge (
  kind       TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  answer     TEXT   NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (kind, key)
);

-- Whose turn it is to order, and what came of earlier attempts.
CREATE TABLE bridgehead_acme_lease (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  owner      TEXT COLLATE "C",
  held_until BIGINT,
  failures   BIGINT,
  failed_at  BIGINT,
  retry_at   BIGINT
);
