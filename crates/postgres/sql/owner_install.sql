CREATE SCHEMA IF NOT EXISTS pgupgrade;
CREATE TABLE IF NOT EXISTS pgupgrade.owner (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  resource text NOT NULL,
  uid text NOT NULL,
  cluster text NOT NULL,
  epoch bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS pgupgrade.fence (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  state text NOT NULL CHECK (state IN ('open', 'closing', 'closed')),
  uid text,
  attempt integer,
  cutover integer,
  epoch bigint,
  deadline timestamptz,
  target text,
  at timestamptz,
  lsn pg_lsn,
  tables bigint
);
INSERT INTO pgupgrade.fence (state) VALUES ('open') ON CONFLICT DO NOTHING;
CREATE SEQUENCE IF NOT EXISTS pgupgrade.lapsed;
CREATE SEQUENCE IF NOT EXISTS pgupgrade.opened;

CREATE OR REPLACE FUNCTION pgupgrade.assert_owner(p_uid text, p_epoch bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
DECLARE
  o pgupgrade.owner;
BEGIN
  SELECT * INTO o FROM pgupgrade.owner FOR SHARE;
  IF o.uid IS DISTINCT FROM p_uid OR o.epoch IS DISTINCT FROM p_epoch THEN
    RAISE EXCEPTION 'owned by % (uid %) with epoch %, not by uid % with epoch %', o.resource, o.uid, o.epoch, p_uid, p_epoch
      USING ERRCODE = 'UG001';
  END IF;
END
$body$;

CREATE OR REPLACE FUNCTION pgupgrade.assert_open() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
DECLARE
  f pgupgrade.fence;
BEGIN
  SELECT * INTO f FROM pgupgrade.fence FOR SHARE;
  IF f.state IS DISTINCT FROM 'open' THEN
    RAISE EXCEPTION 'the fence is % (uid %, attempt %, cutover %)', f.state, f.uid, f.attempt, f.cutover
      USING ERRCODE = 'UG002';
  END IF;
END
$body$;
