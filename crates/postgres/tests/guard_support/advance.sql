SELECT nextval('q.cached');
SELECT nextval('q.descending'), nextval('q.descending'), nextval('q.small'), nextval('q."we""ird ;''-- $body$"');
INSERT INTO q.one DEFAULT VALUES;
INSERT INTO q.two DEFAULT VALUES;
INSERT INTO q.idt DEFAULT VALUES;
INSERT INTO q.ser DEFAULT VALUES;
INSERT INTO q.ser DEFAULT VALUES;
ALTER SEQUENCE q.restarted RESTART WITH 5000;
DO $$ BEGIN FOR i IN 1..300 LOOP FOR j IN 1..(i % 7) LOOP PERFORM nextval(format('q.s%s', i)); END LOOP; END LOOP; END $$;
