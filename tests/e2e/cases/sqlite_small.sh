$RUN sqlite3 t.db <<'S'
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x+1 from c where x<20000) insert into t select x, hex(x*7919) from c;
create index i on t(b);
select count(*), sum(a), min(b), max(b) from t;
begin; update t set b='q' where a%3=0; rollback;
select count(*) from t where b='q';
pragma journal_mode=wal;
delete from t where a%2; vacuum; pragma integrity_check; select count(*) from t;
S
echo "rc $?"
