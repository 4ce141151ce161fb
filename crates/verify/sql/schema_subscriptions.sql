SELECT 'subscription' AS kind,
  s.subname AS name,
  pg_get_userbyid(s.subowner) AS owner,
  s.subenabled::text AS enabled,
  s.subslotname AS slot,
  array_to_string(s.subpublications, ', ') AS publications,
  s.subsynccommit AS "synchronous commit",
  s.subbinary::text AS "binary", -- from 14
  s.subdisableonerr::text AS "disable on error", -- from 15
  s.subpasswordrequired::text AS "password required", -- from 16
  s.subrunasowner::text AS "run as owner", -- from 16
  s.suborigin AS origin -- from 16
  NULL AS origin -- before 16
FROM pg_subscription s
WHERE s.subname !~ '^pgupgrade_' AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
