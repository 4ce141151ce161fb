SELECT 'text search configuration' AS kind, s.name AS schema, c.cfgname AS name, v.attribute, v.value
FROM pg_ts_config c
JOIN space s ON s.oid = c.cfgnamespace
CROSS JOIN LATERAL (
  SELECT 'owner', pg_get_userbyid(c.cfgowner)::text
  UNION ALL
  SELECT 'parser', n.nspname || '.' || p.prsname FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE p.oid = c.cfgparser
  UNION ALL
  SELECT 'dictionaries for ' || k.alias, string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno)
  FROM pg_ts_config_map m
  JOIN ts_token_type(c.cfgparser) k ON k.tokid = m.maptokentype
  WHERE m.mapcfg = c.oid
  GROUP BY k.alias
) v (attribute, value)
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_config'::regclass AND m.objid = c.oid)
UNION ALL
SELECT 'text search dictionary', s.name, d.dictname, v.attribute, v.value
FROM pg_ts_dict d
JOIN space s ON s.oid = d.dictnamespace
JOIN pg_ts_template t ON t.oid = d.dicttemplate
JOIN pg_namespace n ON n.oid = t.tmplnamespace
CROSS JOIN LATERAL (VALUES
  ('owner', pg_get_userbyid(d.dictowner)::text),
  ('template', n.nspname || '.' || t.tmplname),
  ('options', d.dictinitoption)
) v (attribute, value)
WHERE v.value IS NOT NULL
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_dict'::regclass AND m.objid = d.oid)
UNION ALL
SELECT 'text search parser', s.name, p.prsname, 'functions',
  concat_ws(', ', p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype)
FROM pg_ts_parser p
JOIN space s ON s.oid = p.prsnamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_parser'::regclass AND m.objid = p.oid)
UNION ALL
SELECT 'text search template', s.name, t.tmplname, 'functions', concat_ws(', ', t.tmplinit, t.tmpllexize)
FROM pg_ts_template t
JOIN space s ON s.oid = t.tmplnamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_ts_template'::regclass AND m.objid = t.oid)
