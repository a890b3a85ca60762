//! The file: who may open it, what is refused, how it is migrated, suspended and closed.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};

use tasker_core::storage::sqlite::SqliteStore;
use tasker_core::storage::url::DatabaseUrl;
use tasker_core::storage::{AnyStore, Store, StoreError};

use crate::support::*;

/// The message of the refusal to open `path`.
async fn refusal(path: &Path) -> String {
    match open(&url(path)).await.err() {
        Some(StoreError::Configuration(message)) => message,
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[tokio::test]
async fn says_what_is_wrong_with_a_place() {
    let folder = Folder::new();
    assert!(refusal(&folder.file("missing/tasker.sqlite3")).await.contains("does not exist; create it first"));
    assert!(refusal(&folder.file("")).await.contains("it is a folder"));
    assert!(refusal(Path::new("/dev/null")).await.contains("not a regular file"));
}

#[tokio::test]
async fn refuses_what_is_no_database() {
    let folder = Folder::new();
    let path = folder.file("notes.txt");
    fs::write(&path, "Dear diary, ".repeat(1_000)).unwrap();
    assert!(refusal(&path).await.contains("is not an SQLite database"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "Dear diary, ".repeat(1_000), "it was changed");
}

#[tokio::test]
async fn an_examination_makes_no_file_and_says_what_is_wrong() {
    let folder = Folder::new();
    let path = folder.file("tasker.sqlite3");
    let examine = |path: &Path| {
        let url = DatabaseUrl::parse(&format!("sqlite://{}", path.display())).unwrap();
        async move { AnyStore::examine(&url, 0).await }
    };
    let found = examine(&path).await.unwrap();
    assert_eq!((found.product, found.schema, path.exists()), ("SQLite", None, false));
    fs::write(&path, "Dear diary, ".repeat(1_000)).unwrap();
    assert!(examine(&path).await.unwrap_err().to_string().contains("is not an SQLite database"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "Dear diary, ".repeat(1_000), "it was changed");
    let missing = examine(&folder.file("missing/tasker.sqlite3")).await.unwrap_err().to_string();
    assert!(missing.contains("does not exist; create it first"), "{missing}");
    let _held = File::open(&path).unwrap();
    assert!(examine(&path).await.unwrap_err().to_string().contains("already open in this process"));
}

#[tokio::test]
async fn refuses_a_newer_schema() {
    let folder = Folder::new();
    let store = folder.open().await;
    store.close().await;
    let path = folder.file("tasker.sqlite3");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("INSERT INTO tasker_schema_migrations VALUES (99, 0)", ()).unwrap();
    drop(connection);
    let message = refusal(&path).await;
    assert!(message.contains("newer tasker_core (schema 99, this one knows 5); upgrade the gem"), "{message}");
}

/// Not even root may create a file there.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn refuses_a_folder_that_cannot_be_written_to() {
    assert!(refusal(Path::new("/proc/self/tasker.sqlite3")).await.contains("cannot be opened or created"));
}

#[tokio::test]
async fn refuses_a_read_only_file() {
    let folder = Folder::new();
    folder.open().await.close().await;
    let path = folder.file("tasker.sqlite3");
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let root_may_write = fs::OpenOptions::new().append(true).open(&path).is_ok();
    if !root_may_write {
        assert!(refusal(&path).await.contains("read-only"));
    }
}

#[tokio::test]
async fn refuses_a_file_that_something_else_here_has_open() {
    let folder = Folder::new();
    let path = folder.file("tasker.sqlite3");
    let ours = folder.open().await;
    let beside = folder.open().await;
    beside.close().await;
    ours.close().await;

    let theirs = File::open(&path).unwrap();
    let message = refusal(&path).await;
    assert!(message.contains("already open in this process") && message.contains("locks"), "{message}");
    std::os::unix::fs::symlink(&path, folder.file("alias")).unwrap();
    assert!(refusal(&folder.file("alias")).await.contains("already open"));

    drop(theirs);
    folder.open().await.close().await;
}

#[tokio::test]
async fn closing_releases_the_file_and_ends_every_call() {
    let folder = Folder::new();
    let store = folder.open().await;
    write(&store, OpenSession { id: session() }).await;
    assert_eq!(sessions(&store).await, 1);
    assert!(descriptors_of(&folder.file("")) > 0);
    tokio::join!(store.close(), store.close());
    assert_eq!(descriptors_of(&folder.file("")), 0);
    assert!(!folder.file("tasker.sqlite3-wal").exists(), "the last closer moves the log into the file");
    assert!(matches!(store.write(CountSessions {}).await, Err(StoreError::Closed)));
    assert!(matches!(store.read(CountSessions {}).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn dropping_releases_the_file() {
    let folder = Folder::new();
    let store = folder.open().await;
    assert_eq!(sessions(&store).await, 0);
    drop(store);
    eventually("the release of the file", || descriptors_of(&folder.file("")) == 0);
}

#[tokio::test]
async fn a_file_that_vanished_is_not_made_anew() {
    let folder = Folder::new();
    let store = folder.open().await;
    store.suspend().await;
    fs::remove_file(folder.file("tasker.sqlite3")).unwrap();
    store.resume();
    assert!(matches!(store.write(CountSessions {}).await, Err(StoreError::Configuration(_))));
    assert!(!folder.file("tasker.sqlite3").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn suspension_closes_everything_and_what_arrives_waits() {
    let folder = Folder::new();
    let store = std::sync::Arc::new(folder.open().await);
    write(&store, OpenSession { id: session() }).await;
    assert_eq!(sessions(&store).await, 1);
    for _ in 0..20 {
        let busy = tokio::spawn({
            let store = store.clone();
            async move { (store.write(OpenSession { id: session() }).await, store.read(CountSessions {}).await) }
        });
        store.suspend().await;
        assert_eq!(descriptors_of(&folder.file("")), 0);
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { store.read(CountSessions {}).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(descriptors_of(&folder.file("")), 0);
        store.resume();
        let (written, read) = soon("the write", busy).await.unwrap();
        written.unwrap();
        read.unwrap();
        soon("the read", waiting).await.unwrap().unwrap();
    }
    assert_eq!(sessions(&store).await, 21);
    store.suspend().await;
    soon("the close", store.close()).await;
}

#[tokio::test]
async fn databases_in_memory_are_private_and_survive_a_suspension() {
    let (one, other) = (in_memory().await, in_memory().await);
    write(&one, OpenSession { id: session() }).await;
    one.suspend().await;
    one.resume();
    assert_eq!(sessions(&one).await, 1);
    assert_eq!(sessions(&other).await, 0);
    // A read has nothing to commit.
    one.read(OpenSession { id: session() }).await.unwrap();
    assert_eq!(sessions(&one).await, 1);
    one.close().await;
    assert!(matches!(one.read(CountSessions {}).await, Err(StoreError::Closed)));
}

const FILE: &str = "TASKER_TEST_FILE";

/// Another process that runs [`opens_and_writes`] on the file.
fn another_process(file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::opens_and_writes", "--ignored", "--nocapture"])
        .env(FILE, file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Run by [`another_process`] only.
#[tokio::test]
#[ignore = "the other process of other tests"]
async fn opens_and_writes() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let store: SqliteStore = open(&url(Path::new(&file))).await.unwrap();
    for _ in 0..20 {
        write(&store, OpenSession { id: session() }).await;
    }
    store.close().await;
}

#[tokio::test]
async fn ten_processes_migrate_once_and_lose_nothing() {
    let folder = Folder::new();
    let file = folder.file("tasker.sqlite3");
    let processes: Vec<_> = (0..10).map(|_| another_process(&file)).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(sessions(&folder.open().await).await, 200);
}

#[tokio::test]
async fn another_process_wakes_this_one() {
    let folder = Folder::new();
    let store = folder.open().await;
    let mut wakeups = store.wakeups();
    soon("the first look", wakeups.changed()).await.unwrap();
    write(&store, OpenSession { id: session() }).await;
    let mut process = another_process(&folder.file("tasker.sqlite3"));
    soon("the wake-up", wakeups.changed()).await.unwrap();
    assert!(process.wait().unwrap().success());
}

#[tokio::test]
async fn another_store_wakes_this_one_and_its_own_commits_do_not() {
    let folder = Folder::new();
    let (store, other) = (folder.open().await, folder.open().await);
    let (mut ours, mut theirs) = (store.wakeups(), other.wakeups());
    soon("the first look", ours.changed()).await.unwrap();
    soon("the first look", theirs.changed()).await.unwrap();
    write(&other, OpenSession { id: session() }).await;
    soon("the wake-up", ours.changed()).await.unwrap();
    // The other has looked again by the time it sees what was written after its own commit.
    write(&store, OpenSession { id: session() }).await;
    soon("the wake-up", theirs.changed()).await.unwrap();
    assert_eq!(*theirs.borrow(), 2, "its own commit woke it as well");
}

#[test]
fn connections_share_no_lock_in_sqlite_itself() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut options = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = options.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!options.iter().any(|option| option == "ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}
