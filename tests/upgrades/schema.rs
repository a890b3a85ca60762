//! What migrations make of an earlier schema is what they make of nothing.

use crate::fixtures::{load, versions};
use crate::support::behind::rows_behind_the_back;
use crate::support::host::{Host, LEASE, block};

/// Every definition, with its words one space apart: a table that was renamed has quotes.
const OF_SQLITE: &str = "SELECT type || ' ' || name || ': ' || sql FROM sqlite_schema WHERE sql IS NOT NULL";

const OF_POSTGRES: &str = "
    SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid))
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relname LIKE 'tasker\\_%' AND c.relkind IN ('r', 'v')
    UNION ALL SELECT format('%s (%s)', relname, reloptions) FROM pg_class WHERE relname LIKE 'tasker\\_%'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'tasker\\_%'
    UNION ALL SELECT format('%s %s: %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE conrelid::regclass::text LIKE 'tasker\\_%'
    UNION ALL SELECT format('%s: %s', viewname, definition) FROM pg_views WHERE viewname LIKE 'tasker\\_%'
    UNION ALL SELECT format('%s: %s', t.typname, e.enumlabel) FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid";

/// The schema, after all migrations.
fn schema(url: &str) -> Vec<String> {
    Host::start(url, 0, LEASE, &[]).end();
    let sql = if url.starts_with("sqlite") { OF_SQLITE } else { OF_POSTGRES };
    let rows = block(rows_behind_the_back(url, sql));
    let plain = |row: String| row.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rows: Vec<String> = rows.into_iter().map(plain).collect();
    rows.sort_unstable();
    rows
}

fn compare(new: &str, mut earlier: impl FnMut(usize) -> Vec<String>) {
    let new = schema(new);
    assert!(new.len() > 20, "{new:?}");
    for version in 1..versions() {
        let earlier = earlier(version);
        let only = |one: &[String], other: &[String]| {
            one.iter().filter(|row| !other.contains(row)).cloned().collect::<Vec<_>>()
        };
        let (missing, left) = (only(&new, &earlier), only(&earlier, &new));
        assert!(missing.is_empty() && left.is_empty(), "of version {version} lacks {missing:#?}, and has {left:#?}");
    }
}

#[test]
fn a_migrated_schema_is_that_of_a_new_database_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = |name: usize| format!("sqlite:{}/{name}.sqlite3", folder.path().display());
    compare(&url(0), |version| {
        load(&url(version), version);
        schema(&url(version))
    });
}

#[test]
fn a_migrated_schema_is_that_of_a_new_database_on_postgres() {
    compare(&crate::support::fresh_postgres().url, |version| {
        let database = crate::support::fresh_postgres();
        load(&database.url, version);
        schema(&database.url)
    });
}
