-- Keys that are issued to teammates. Times are microseconds since 1970-01-01T00:00:00Z. Texts are
-- compared byte by byte, as everywhere in Bridgehead.
CREATE TABLE bridgehead_api_key (
  id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  endpoint       TEXT   NOT NULL,
  subject        TEXT   NOT NULL,
  scopes         TEXT   NOT NULL,
  hash           BYTEA  NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT   NOT NULL,
  created_at     BIGINT NOT NULL,
  expires_at     BIGINT,
  revoked_at     BIGINT,
  last_used_at   BIGINT,
  label          TEXT,
  header         TEXT
);

CREATE INDEX bridgehead_api_key_in_order ON bridgehead_api_key (created_at, id);
