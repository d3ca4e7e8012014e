-- What is remembered of calls with an idempotency key. Times are microseconds since
-- 1970-01-01T00:00:00Z. Answers are sealed. state is running, in_doubt or settled.
CREATE TABLE bridgehead_effect (
  id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  endpoint        TEXT   NOT NULL,
  subject         TEXT   NOT NULL,
  tool            TEXT   NOT NULL,
  digest          BYTEA  NOT NULL CHECK (length(digest) = 32),
  token           TEXT COLLATE "C" NOT NULL,
  state           TEXT COLLATE "C" NOT NULL,
  lease_until     BIGINT,
  answer          BYTEA,
  first_sent_at   BIGINT NOT NULL,
  upstream_header TEXT,
  keep_until      BIGINT NOT NULL,
  CHECK ((state = 'running') = (lease_until IS NOT NULL)),
  CHECK ((state = 'settled') = (answer IS NOT NULL))
);

CREATE INDEX bridgehead_effect_by_end ON bridgehead_effect (keep_until);
