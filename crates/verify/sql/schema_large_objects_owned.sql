-- The same for a role that may not read pg_largeobject: object by object, those that it may read.
SELECT m.oid,
  pg_get_userbyid(m.lomowner)::text AS owner,
  (
    SELECT string_agg(g::text, ', ' ORDER BY g::text COLLATE "C")
    FROM unnest(COALESCE(m.lomacl, acldefault('L', m.lomowner))) g
  ) AS privileges,
  r.readable,
  COALESCE(p.bytes, 0) AS bytes,
  COALESCE(p.digest, 0)::text AS digest
FROM pg_largeobject_metadata m
CROSS JOIN LATERAL (
  SELECT EXISTS (
    SELECT FROM aclexplode(COALESCE(m.lomacl, acldefault('L', m.lomowner))) g
    WHERE g.privilege_type = 'SELECT' AND (g.grantee = 0 OR pg_has_role(g.grantee, 'USAGE'))
  ) AS readable
) r
LEFT JOIN LATERAL (
  WITH RECURSIVE page (number, length, content) AS (
    SELECT 0, octet_length(d), d
    FROM lo_get(m.oid, 0, current_setting('block_size')::int / 4) d
    WHERE r.readable
    UNION ALL
    SELECT number + 1, octet_length(d), d
    FROM page
    CROSS JOIN LATERAL lo_get(m.oid, (number + 1)::bigint * (current_setting('block_size')::int / 4), current_setting('block_size')::int / 4) d
    WHERE length = current_setting('block_size')::int / 4
  )
  SELECT sum(length)::bigint AS bytes,
    sum(('x' || left(encode(sha256(int4send(number) || trimmed), 'hex'), 16))::bit(64)::bigint) FILTER (WHERE trimmed <> '') AS digest
  FROM page
  CROSS JOIN LATERAL (
    SELECT content AS trimmed -- before 14
    SELECT rtrim(content, '\x00') AS trimmed -- from 14
  ) t
) p ON true
