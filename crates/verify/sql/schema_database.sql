SELECT 'database' AS kind,
  'this database' AS name,
  pg_get_userbyid(d.datdba) AS owner,
  pg_encoding_to_char(d.encoding) AS encoding,
  d.datcollate AS collation,
  d.datctype AS "character classification",
  'c' AS "locale provider", -- before 15
  d.datlocprovider::text AS "locale provider", -- from 15
  NULL AS locale, -- before 15
  d.daticulocale AS locale, -- 15 to 16
  d.datlocale AS locale, -- from 17
  NULL AS "collation rules", -- before 16
  d.daticurules AS "collation rules", -- from 16
  d.datconnlimit::text AS "connection limit",
  d.datallowconn::text AS "allows connections",
  d.datistemplate::text AS "is a template",
  (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace) AS tablespace
FROM pg_database d
WHERE d.datname = current_database()
