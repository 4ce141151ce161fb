SELECT 'publication' AS kind, p.pubname AS name, v.attribute, v.value
FROM pg_publication p
CROSS JOIN LATERAL (
  SELECT 'owner', pg_get_userbyid(p.pubowner)::text
  UNION ALL SELECT 'all tables', p.puballtables::text
  UNION ALL SELECT 'actions', concat_ws(', ',
    CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END
    , CASE WHEN p.pubtruncate THEN 'truncate' END -- from 11
  )
  UNION ALL SELECT 'via partition root', p.pubviaroot::text -- from 13
  UNION ALL SELECT 'generated columns', p.pubgencols::text WHERE p.pubgencols <> 'n' -- from 18
  UNION ALL
  SELECT 'schema ' || n.nspname, 'published' -- from 15
  FROM pg_publication_namespace x JOIN pg_namespace n ON n.oid = x.pnnspid WHERE x.pnpubid = p.oid -- from 15
  UNION ALL -- from 15
  SELECT 'table ' || n.nspname || '.' || c.relname, concat_ws(' ', 'published'
      , 'columns ' || (SELECT string_agg(a.attname::text, ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (x.prattrs::int2[])) -- from 15
      , 'where ' || pg_get_expr(x.prqual, x.prrelid) -- from 15
    )
  FROM pg_publication_rel x
  JOIN pg_class c ON c.oid = x.prrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE x.prpubid = p.oid
) v (attribute, value)
WHERE p.pubname !~ '^pgupgrade_'
