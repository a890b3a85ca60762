//! Checkpoints on their way to the database: what gathers while one commit is under way is written
//! by the next, so that many handlers that save at once cost few commits.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::transactions::checkpoints::SaveCheckpoints;
use crate::domain::id::{StepKey, Token};
use crate::storage::rows::Checkpoint;
use crate::storage::{Result, Store, StoreError};

/// See the module.
#[derive(Default)]
pub(super) struct Checkpoints {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

struct Waiting {
    checkpoint: Checkpoint,
    saved: oneshot::Sender<Result<bool>>,
}

impl Checkpoints {
    /// Saves one, durably; false when its step is in other hands by now.
    pub(super) async fn save(&self, store: &impl Store, checkpoint: Checkpoint) -> Result<bool> {
        let (saved, answer) = oneshot::channel();
        self.waiting.lock().push(Waiting { checkpoint, saved });
        {
            let _turn = self.turn.lock().await;
            // Whoever had the turn before may have taken this one along.
            let waiting = std::mem::take(&mut *self.waiting.lock());
            write(store, waiting).await;
        }
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// Writes them and tells those who wait.
async fn write(store: &impl Store, waiting: Vec<Waiting>) {
    if waiting.is_empty() {
        return;
    }
    match commit(store, waiting.iter()).await {
        // The database refuses a value: alone, only that one fails.
        Err(StoreError::Data(_)) if waiting.len() > 1 => {
            for one in waiting {
                let saved = commit(store, std::iter::once(&one)).await;
                one.tell(&saved);
            }
        }
        outcome => waiting.into_iter().for_each(|one| one.tell(&outcome)),
    }
}

/// Commits them, of each step the last one of its latest claim. Gives those claims whose step still
/// holds them.
async fn commit(store: &impl Store, waiting: impl Iterator<Item = &Waiting>) -> Result<HashSet<(StepKey, Token)>> {
    let mut last: BTreeMap<StepKey, &Checkpoint> = BTreeMap::new();
    for Waiting { checkpoint, .. } in waiting {
        let kept = last.entry(checkpoint.key).or_insert(checkpoint);
        if kept.token <= checkpoint.token {
            *kept = checkpoint;
        }
    }
    let checkpoints: Vec<Checkpoint> = last.into_values().cloned().collect();
    let tokens: BTreeMap<StepKey, Token> = checkpoints.iter().map(|one| (one.key, one.token)).collect();
    let saved = store.write(SaveCheckpoints { checkpoints }).await?;
    Ok(saved.into_iter().filter_map(|key| Some((key, *tokens.get(&key)?))).collect())
}

impl Waiting {
    fn tell(self, saved: &Result<HashSet<(StepKey, Token)>>) {
        let claim = (self.checkpoint.key, self.checkpoint.token);
        // Nobody waits any more: it is saved all the same.
        let _ = self.saved.send(saved.as_ref().map(|saved| saved.contains(&claim)).map_err(Clone::clone));
    }
}
