-- People who sign in here. Times are microseconds since 1970-01-01T00:00:00Z, here and below. Texts
-- are compared byte by byte.
CREATE TABLE bridgehead_user (
  address      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  name         TEXT,
  admin        BOOLEAN NOT NULL,
  scopes       TEXT    NOT NULL,
  password     TEXT,
  created_at   BIGINT  NOT NULL,
  disabled_at  BIGINT,
  signed_in_at BIGINT
);

CREATE INDEX bridgehead_user_in_order ON bridgehead_user (created_at, address);

-- Links that work once.
CREATE TABLE bridgehead_one_time_link (
  id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  purpose        TEXT   NOT NULL,
  address        TEXT COLLATE "C" REFERENCES bridgehead_user (address),
  hash           BYTEA  NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT   NOT NULL,
  created_at     BIGINT NOT NULL,
  expires_at     BIGINT NOT NULL,
  used_at        BIGINT
);

CREATE INDEX bridgehead_one_time_link_of_user ON bridgehead_one_time_link (address);
CREATE UNIQUE INDEX bridgehead_one_time_link_first ON bridgehead_one_time_link (purpose)
  WHERE purpose = 'first_administrator';

-- Browser sessions.
CREATE TABLE bridgehead_session (
  id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  address        TEXT COLLATE "C" NOT NULL REFERENCES bridgehead_user (address),
  hash           BYTEA  NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT   NOT NULL,
  created_at     BIGINT NOT NULL,
  expires_at     BIGINT NOT NULL,
  last_used_at   BIGINT NOT NULL
);

CREATE INDEX bridgehead_session_of_user ON bridgehead_session (address);

-- Steps of connection attempts, kept for a day.
CREATE TABLE bridgehead_trace_event (
  number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      BIGINT NOT NULL,
  step    TEXT   NOT NULL,
  outcome TEXT   NOT NULL,
  facts   TEXT   NOT NULL
);

CREATE INDEX bridgehead_trace_event_in_order ON bridgehead_trace_event (at, number);
