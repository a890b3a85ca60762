//! What a disk that is full, or may not be written to, does to a store.

use std::sync::Arc;

use tasker_core::domain::id::TaskId;
use tasker_core::domain::json::Json;
use tasker_core::storage::rows::{KeyRow, NewTask};
use tasker_core::storage::{Store, StoreError};

use crate::support::*;

/// A file system of 3 MB of its own, where this process may mount one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: &Folder) -> Option<Self> {
        let path = folder.file("disk");
        std::fs::create_dir(&path).ok()?;
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(&path)
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_transaction_that_filled_it_and_no_other() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder) else { return };
    let store = open(&url(&disk.0.join("tasker.sqlite3"))).await.unwrap();
    let diamond = Diamond::store(&store).await;
    let mut large = diamond.task();
    large.context = Json::of(&"x".repeat(4_000_000)).unwrap();
    let (small, too_large, also_small) = tokio::join!(
        store.write(OpenSession { id: session() }),
        store.write(InsertTask { task: large }),
        store.write(OpenSession { id: session() }),
    );
    assert!(small.is_ok(), "{small:?}");
    assert!(also_small.is_ok(), "{also_small:?}");
    assert!(matches!(&too_large, Err(StoreError::Database(said)) if said.message.contains("full")), "{too_large:?}");
    assert_eq!(sessions(&store).await, 2);
    store.close().await;
}

const FILE: &str = "TASKER_TEST_FILE";

#[test]
fn a_refused_write_fails_its_transaction_and_no_other() {
    run_limited("in_a_limited_process");
}

#[test]
fn a_refused_write_fails_its_transaction_and_none_of_its_group() {
    run_limited("together_in_a_limited_process");
}

/// Runs a test in a process of its own, in which no file may grow beyond 2 MB: the operating system then
/// refuses a commit's write with an error that is not a full disk.
fn run_limited(test: &str) {
    let folder = Folder::new();
    let limited = format!("trap '' XFSZ; ulimit -f 4096; exec \"$0\" --exact failures::{test} --ignored");
    let status = std::process::Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .env(FILE, folder.file("tasker.sqlite3"))
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test]
#[ignore = "the other process of another test"]
async fn in_a_limited_process() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let file = std::path::PathBuf::from(file);
    let store = open(&url(&file)).await.unwrap();
    let diamond = Diamond::store(&store).await;
    let kept = diamond.create(&store).await;
    let mut large = diamond.task();
    large.context = Json::of(&"x".repeat(4_000_000)).unwrap();
    match store.write(InsertTask { task: large }).await {
        Err(StoreError::Database(said)) => assert!(said.message.contains("refused to write"), "{said}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(task(&store, kept).await.id, kept, "what was committed before is there");
    store.write(OpenSession { id: session() }).await.expect("what fits is stored");
    store.close().await;
    assert_eq!(descriptors_of(&file), 0);

    let store = open(&url(&file)).await.unwrap();
    assert_eq!((task(&store, kept).await.id, sessions(&store).await), (kept, 1));
}

// What takes a key and stores its task, or gives who has the key.
transaction!(TakeKey { task: NewTask } -> TaskId, |self, tx| {
    let (namespace, name, key) = ("default".into(), "diamond".into(), "k".into());
    let key = KeyRow { namespace, name, key, task: self.task.id };
    match tx.take_keys(&[key]).await?[..] {
        [Some(existing)] => Err(StoreError::Duplicate { key: "k".into(), existing }),
        _ => tx.insert_tasks(std::slice::from_ref(&self.task), &[]).await.map(|()| self.task.id),
    }
});

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other process of another test"]
async fn together_in_a_limited_process() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let store = Arc::new(open(&url(std::path::Path::new(&file))).await.unwrap());
    let diamond = Diamond::store(&store).await;
    let mut large = diamond.task();
    large.context = Json::of(&"x".repeat(4_000_000)).unwrap();
    let small = diamond.task();
    let id = small.id;

    let (gate, go) = hold_writer(&store).await;
    let all = async {
        tokio::join!(
            store.write(OpenSession { id: session() }),
            store.write(TakeKey { task: large }),
            store.write(TakeKey { task: small }),
        )
    };
    let let_go = async {
        tokio::task::yield_now().await;
        go.send(()).unwrap();
    };
    let ((plain, large, small), ()) = soon("the group", async { tokio::join!(all, let_go) }).await;
    gate.await.unwrap().unwrap();

    assert!(plain.is_ok(), "{plain:?}");
    assert!(
        matches!(&large, Err(StoreError::Database(said)) if said.message.contains("refused to write")),
        "{large:?}"
    );
    assert_eq!(small.unwrap(), id, "nobody has its key");
    assert_eq!((task(&store, id).await.id, sessions(&store).await), (id, 1));
}
