CREATE TABLE s.journal (xid bigint, note text);
ALTER TABLE s.journal OWNER TO app_owner;
ALTER TABLE s.journal REPLICA IDENTITY FULL;
CREATE TABLE s.elsewhere (id int);
-- Transactions of many kinds; each that commits leaves its id in the journal.
CREATE PROCEDURE s.step(writer int, round int) LANGUAGE plpgsql AS $body$
DECLARE
  key bigint := writer * 1000000000::bigint + round * 1000;
BEGIN
  INSERT INTO s.journal VALUES (pg_current_xact_id()::text::bigint, repeat('x', round % 60));
  IF round % 7 = 0 THEN
    INSERT INTO s.keyed SELECT key + g, 'big' FROM generate_series(1, 200) g;
  ELSIF round % 7 = 1 THEN
    INSERT INTO s.keyed VALUES (key, 'gone');
    DELETE FROM s.keyed WHERE id = key;
  ELSIF round % 7 = 2 THEN
    BEGIN
      INSERT INTO s.keyed VALUES (key, 'in a subtransaction');
      RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
      INSERT INTO s.keyed VALUES (key, 'after it');
    END;
  ELSIF round % 7 = 3 THEN
    ROLLBACK;
    INSERT INTO s.elsewhere VALUES (round);
  ELSIF round % 7 = 4 THEN
    UPDATE s.keyed SET v = 'changed' WHERE id BETWEEN key - 4000 AND key;
  END IF;
  COMMIT;
END
$body$;
