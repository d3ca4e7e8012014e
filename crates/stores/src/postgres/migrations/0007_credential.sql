-- What teammates entered or connected for systems behind. Times are microseconds since
-- 1970-01-01T00:00:00Z. What is secret is sealed as belonging to one vault and one teammate.
CREATE TABLE bridgehead_credential (
  vault         TEXT COLLATE "C" NOT NULL,
  subject       TEXT COLLATE "C" NOT NULL,
  kind          TEXT   NOT NULL,
  sealed        BYTEA  NOT NULL,
  version       TEXT COLLATE "C" NOT NULL,
  entered_at    BIGINT NOT NULL,
  renewed_at    BIGINT NOT NULL,
  expires_at    BIGINT,
  refused_at    BIGINT,
  -- Which process renews it, and until when.
  renewer       TEXT COLLATE "C",
  renewer_until BIGINT,
  PRIMARY KEY (vault, subject)
);

CREATE INDEX bridgehead_credential_of_subject ON bridgehead_credential (subject, vault);

-- Teammates on their way to another authorization server and back.
CREATE TABLE bridgehead_pending_connection (
  state      BYTEA  NOT NULL PRIMARY KEY CHECK (length(state) = 32),
  session    TEXT COLLATE "C" NOT NULL,
  vault      TEXT COLLATE "C" NOT NULL,
  subject    TEXT COLLATE "C" NOT NULL,
  verifier   BYTEA  NOT NULL,
  next       TEXT,
  expires_at BIGINT NOT NULL
);

CREATE INDEX bridgehead_pending_connection_by_end ON bridgehead_pending_connection (expires_at);
