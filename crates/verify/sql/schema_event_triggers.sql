SELECT 'event trigger' AS kind,
  e.evtname AS name,
  e.evtevent AS event,
  e.evtfoid::regprocedure::text AS function,
  CASE e.evtenabled
    WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE e.evtenabled::text
  END AS enabled,
  (SELECT string_agg(t, ', ' ORDER BY t COLLATE "C") FROM unnest(e.evttags) t) AS tags,
  pg_get_userbyid(e.evtowner) AS owner
FROM pg_event_trigger e
WHERE e.evtname !~ '^pgupgrade_'
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_event_trigger'::regclass AND m.objid = e.oid)
