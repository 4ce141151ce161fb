-- One simple query, so one transaction. Two that create the same schema or table at once would fail.
SELECT pg_advisory_xact_lock(8463071525540972393);
CREATE SCHEMA IF NOT EXISTS pgupgrade;
CREATE TABLE IF NOT EXISTS {marker} (
  attempt integer NOT NULL,
  direction text NOT NULL,
  n bigint NOT NULL,
  xid xid8 NOT NULL,
  lsn pg_lsn NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (attempt, direction, n)
);
COMMENT ON TABLE {marker} IS {owner};
CREATE TABLE IF NOT EXISTS {barrier} (
  id integer PRIMARY KEY CHECK (id = 1),
  n bigint NOT NULL
);
INSERT INTO {barrier} (id, n) VALUES (1, 0) ON CONFLICT DO NOTHING;
COMMENT ON TABLE {barrier} IS {owner}
