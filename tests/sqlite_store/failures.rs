//! What a disk that is full, or may not be written to, does to a store.

use tasker_core::domain::json::Json;
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

/// In a process of its own, in which no file may grow beyond 2 MB: the operating system then
/// refuses a commit's write with an error that is not a full disk.
#[test]
fn a_refused_write_fails_its_transaction_and_no_other() {
    let folder = Folder::new();
    let limited = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" --exact failures::in_a_limited_process --ignored";
    let status = std::process::Command::new("sh")
        .args(["-c", limited])
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
