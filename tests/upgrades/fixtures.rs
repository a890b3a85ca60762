//! Databases as earlier versions left them.

use std::path::Path;

use crate::support::behind::behind_the_back;
use crate::support::host::block;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// How many versions of the schema there are.
pub fn versions() -> usize {
    std::fs::read_dir(folder("src/storage/sqlite/migrations")).expect("migrations").count()
}

/// Fills an empty database as one of that version was.
pub fn load(url: &str, version: usize) {
    let kind = url.split(':').next().expect("a scheme");
    let path = folder("tests/upgrades/fixtures").join(format!("{version}.{kind}.sql"));
    let sql = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    block(behind_the_back(url, &sql));
}
