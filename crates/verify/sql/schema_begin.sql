BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = '';
SET LOCAL quote_all_identifiers = off;
SET LOCAL extra_float_digits = 1;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL xmlbinary = 'base64';
SET LOCAL array_nulls = on;
SET LOCAL jit = off;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = '5min';
SET LOCAL lock_timeout = '5s'
