//! What a full disk does to a store.

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
    assert!(matches!(&too_large, Err(StoreError::Database(said)) if said.contains("full")), "{too_large:?}");
    assert_eq!(sessions(&store).await, 2);
    store.close().await;
}
