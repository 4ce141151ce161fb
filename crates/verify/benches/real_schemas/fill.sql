-- Rows for tables that an application leaves empty: forty each, every fifth value NULL where it may be. They refer to
-- nothing: the foreign keys of these tables go.
SET session_replication_role = replica;
DO $do$
DECLARE
  it record;
  empty boolean;
  refers text;
BEGIN
  FOR it IN
    SELECT c.oid::regclass AS name,
      string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns,
      string_agg(
        CASE WHEN a.attnotnull THEN v.value ELSE format('CASE WHEN (g + %s) %% 5 > 0 THEN %s END', a.attnum, v.value) END,
        ', ' ORDER BY a.attnum) AS expressions
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attidentity <> 'a' AND a.attgenerated = ''
    JOIN pg_type t ON t.oid = a.atttypid
    CROSS JOIN LATERAL (SELECT CASE
      WHEN t.typcategory = 'N' AND t.typname <> 'numeric' THEN format('g::%s', format_type(t.oid, NULL))
      WHEN t.typname = 'numeric' THEN '(g / 10.0)'
      WHEN t.typcategory = 'S' AND a.atttypmod > 4 THEN format('left(g || ''é value''::text, %s)', a.atttypmod - 4)
      WHEN t.typcategory = 'S' THEN '(g || ''é value''::text)'
      WHEN t.typcategory = 'B' THEN '(g % 2 = 0)'
      WHEN t.typcategory = 'D' THEN format('(timestamptz ''2024-02-29 12:00:00.123456+00'' + g * interval ''1 day'')::%s', format_type(t.oid, NULL))
      WHEN t.typcategory = 'T' THEN 'g * interval ''1 hour'''
      WHEN t.typcategory = 'E' THEN format('(enum_range(NULL::%s))[1]', format_type(t.oid, NULL))
      WHEN t.typcategory = 'A' THEN format('''{}''::%s', format_type(t.oid, NULL))
      WHEN t.typcategory = 'I' THEN format('(''10.0.0.'' || g)::%s', format_type(t.oid, NULL))
      WHEN t.typname = 'bytea' THEN 'sha256(g::text::bytea)'
      WHEN t.typname = 'uuid' THEN 'md5(g::text)::uuid'
      WHEN t.typname IN ('json', 'jsonb') THEN format('json_build_object(''g'', g, ''é'', array[1.0, NULL])::%s', t.typname)
      ELSE 'NULL' END AS value) v
    WHERE c.relkind = 'r'
    GROUP BY c.oid
    ORDER BY c.oid
  LOOP
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM ONLY %s)', it.name) INTO empty;
    IF empty THEN
      BEGIN
        FOR refers IN SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = it.name LOOP
          EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', it.name, refers);
        END LOOP;
        EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM generate_series(1, 40) g', it.name, it.columns, it.expressions);
      EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'no rows for %: %', it.name, SQLERRM;
      END;
    END IF;
  END LOOP;
END
$do$;
