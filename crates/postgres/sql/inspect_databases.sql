SELECT datname::text, datallowconn, datistemplate, datconnlimit FROM pg_database ORDER BY datname
