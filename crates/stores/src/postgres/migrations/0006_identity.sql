-- Who of an identity provider is which user. Times are microseconds since 1970-01-01T00:00:00Z. Texts
-- are compared byte by byte.
CREATE TABLE bridgehead_identity (
  issuer       TEXT COLLATE "C" NOT NULL,
  subject      TEXT COLLATE "C" NOT NULL,
  address      TEXT COLLATE "C" NOT NULL REFERENCES bridgehead_user (address),
  claims       TEXT   NOT NULL,
  scopes       TEXT   NOT NULL,
  tokens       BYTEA,
  checked_at   BIGINT NOT NULL,
  refused_at   BIGINT,
  asking_until BIGINT,
  PRIMARY KEY (issuer, subject)
);

CREATE UNIQUE INDEX bridgehead_identity_of_user ON bridgehead_identity (address, issuer);
