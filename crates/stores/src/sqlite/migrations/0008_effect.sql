-- What is remembered of calls with an idempotency key. Times are microseconds since
-- 1970-01-01T00:00:00Z. Answers are sealed. state is running, in_doubt or settled.
CREATE TABLE effect (
  id              TEXT    NOT NULL PRIMARY KEY,
  endpoint        TEXT    NOT NULL,
  subject         TEXT    NOT NULL,
  tool            TEXT    NOT NULL,
  digest          BLOB    NOT NULL CHECK (length(digest) = 32),
  token           TEXT    NOT NULL,
  state           TEXT    NOT NULL,
  lease_until     INTEGER,
  answer          BLOB,
  first_sent_at   INTEGER NOT NULL,
  upstream_header TEXT,
  keep_until      INTEGER NOT NULL,
  CHECK ((state = 'running') = (lease_until IS NOT NULL)),
  CHECK ((state = 'settled') = (answer IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX effect_by_end ON effect (keep_until);
