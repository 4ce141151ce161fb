SELECT 'cast' AS kind,
  format_type(c.castsource, NULL) || ' as ' || format_type(c.casttarget, NULL) AS described,
  'conversion' AS attribute,
  concat_ws(', ',
    CASE c.castcontext WHEN 'e' THEN 'explicit' WHEN 'a' THEN 'in assignments' ELSE 'implicit' END,
    CASE c.castmethod WHEN 'f' THEN 'by function' WHEN 'i' THEN 'by input and output' ELSE 'binary' END,
    NULLIF(c.castfunc::oid, 0)::regprocedure::text
  ) AS value
FROM pg_cast c
WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_cast'::regclass AND m.objid = c.oid)
UNION ALL
SELECT 'language', l.lanname, v.attribute, v.value
FROM pg_language l
CROSS JOIN LATERAL (VALUES
  ('owner', pg_get_userbyid(l.lanowner)::text),
  ('trusted', l.lanpltrusted::text),
  ('functions', concat_ws(', ', l.lanplcallfoid::regproc, l.laninline::regproc, l.lanvalidator::regproc))
) v (attribute, value)
WHERE l.oid >= 16384 AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_language'::regclass AND m.objid = l.oid)
UNION ALL
SELECT 'transform', format_type(t.trftype, NULL) || ' for ' || l.lanname, 'functions',
  concat_ws(', ', NULLIF(t.trffromsql::oid, 0)::regprocedure, NULLIF(t.trftosql::oid, 0)::regprocedure)
FROM pg_transform t
JOIN pg_language l ON l.oid = t.trflang
WHERE t.oid >= 16384 AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_transform'::regclass AND m.objid = t.oid)
