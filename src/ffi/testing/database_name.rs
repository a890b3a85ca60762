//! Factories create tasks, delete tasks and move the clock: they touch a database only if its name
//! says that it is there for that.

use crate::engine::error::{EngineError, Result};
use crate::storage::url::DatabaseUrl;

const WORDS: [&str; 3] = ["test", "tests", "testing"];

/// Refuses a database whose name does not say that it is for tests.
///
/// # Errors
/// [`EngineError::Configuration`], which says which may be used; a host may have a way to say that this one may, too.
pub fn check(url: &DatabaseUrl) -> Result<()> {
    let name = match url {
        DatabaseUrl::Sqlite(place) => match &place.path {
            None => return Ok(()),
            Some(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        },
        DatabaseUrl::Postgres(place) => place.database(),
    };
    if says_test(&name) {
        return Ok(());
    }
    Err(EngineError::Configuration(format!(
        "the database {name:?} is not named as one for tests, and test factories create and delete tasks in it and move \
         its clock: use one with the word \"test\" in its name (sqlite:app_test.sqlite3, postgres://host/app_test) or \
         sqlite::memory:"
    )))
}

/// Whether one of the words of `name` is "test": `app_test`, `AppTest2`, but neither `latest` nor `contest`.
fn says_test(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut before = None;
    for c in name.chars() {
        let starts = before.is_some_and(|before: char| {
            before.is_alphabetic() != c.is_alphabetic() || (before.is_lowercase() && c.is_uppercase())
        });
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        before = Some(c);
    }
    words.iter().any(|word| WORDS.contains(&word.as_str()))
}
