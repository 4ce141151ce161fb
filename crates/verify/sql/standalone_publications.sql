-- Of publications ($1) which could carry a table of schema pgupgrade, those first that do so by themselves.
SELECT p.pubname::text AS name,
  p.puballtables
    OR EXISTS (SELECT FROM pg_publication_namespace x JOIN pg_namespace n ON n.oid = x.pnnspid WHERE x.pnpubid = p.oid AND n.nspname = 'pgupgrade') -- from 15
    AS at_once,
  p.pubupdate AS updates,
  pg_has_role(p.pubowner, 'USAGE') AS may_alter
FROM pg_publication p
WHERE p.pubname = ANY ($1)
ORDER BY 2 DESC, 1
