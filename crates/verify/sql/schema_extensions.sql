SELECT 'extension' AS kind,
  e.extname AS name,
  e.extversion AS version,
  n.nspname AS "schema of its objects",
  pg_get_userbyid(e.extowner) AS owner
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
