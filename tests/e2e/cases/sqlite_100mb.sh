$RUN sqlite3 t.db <<'S'
create table t(a integer primary key, b blob);
with recursive c(x) as (select 1 union all select x+1 from c where x<100000) insert into t select x, zeroblob(1000) from c;
update t set b=cast(printf('%01000d',a) as blob) where a%10=0;
create index i on t(a,b);
select count(*), sum(length(b)), max(b) = printf('%01000d',100000) from t;
pragma page_count; pragma integrity_check;
S
echo "rc $?"
