-- The enabled subscriptions of this database, their owners, and what those and we may do.
SELECT s.subname::text AS name,
  s.subslotname::text AS slot,
  s.subpublications AS publications,
  o.rolname::text AS owner,
  o.rolsuper OR o.rolname = current_user AS needs_nothing,
  pg_has_role(s.subowner, 'USAGE') AS may_alter,
  s.subrunasowner AS runs_as_owner, -- from 16
  pg_has_role(s.subowner, current_user, 'SET') AS becomes_us -- from 16
FROM pg_subscription s
JOIN pg_roles o ON o.oid = s.subowner
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.subenabled
ORDER BY s.subname
