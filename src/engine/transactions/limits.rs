//! Limits: which of the steps that were claimed may run, and which parked ones may be claimed again.
//!
//! A step with a limit is claimed like any other; then, under the lock of its key, it takes a slot or is
//! parked. Whoever ends an attempt that had a slot holds the lock too and makes parked steps claimable, as
//! many as slots are free. So none is parked while a slot is free: who parks has seen all of them taken,
//! and who frees one sees what was parked. What operations by hand free is found by [`Unpark`], soon after.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::verdict::Verdict;
use super::work::Work;
use crate::domain::limit::LimitKey;
use crate::storage::rows::{Parked, ReadyRow, Slot};
use crate::storage::{Result, Transaction, Tx};

/// The keys of attempts that ended, each with how many its limit lets run.
#[derive(Default)]
pub struct Freed(BTreeMap<LimitKey, usize>);

impl Freed {
    /// Those of these verdicts.
    pub fn by(verdicts: &[Verdict]) -> Self {
        // What made a key had no slot.
        let held = verdicts.iter().map(|verdict| &verdict.assignment).filter(|held| !matches!(held.work, Work::Key));
        let limits = held.filter_map(|held| {
            let template = held.task.template();
            template.limit_of(held.row.key.index, &held.task.head.context, held.limit_key.as_ref())
        });
        Self(limits.collect())
    }

    /// Makes parked steps claimable where slots were freed, and lets those of `rows` go on that have no
    /// limit or get a slot; parks the others. Returns the former, and whether steps were made claimable.
    /// Costs no statement where there is no limit.
    pub async fn admit<T: Tx>(
        self,
        tx: &mut T,
        rows: Vec<ReadyRow>,
        limit_of: impl Fn(&ReadyRow) -> Option<(LimitKey, usize)>,
    ) -> Result<(Vec<ReadyRow>, bool)> {
        let limits: Vec<Option<(LimitKey, usize)>> = rows.iter().map(limit_of).collect();
        let keys: BTreeSet<&LimitKey> = self.0.keys().chain(limits.iter().flatten().map(|(key, _)| key)).collect();
        if keys.is_empty() {
            return Ok((rows, false));
        }
        let keys: Vec<LimitKey> = keys.into_iter().cloned().collect();
        tx.lock_limits(&keys).await?;
        let mut taken: HashMap<LimitKey, usize> = tx.count_slots(&keys).await?.into_iter().collect();
        // What waited goes first.
        let unparked = unpark(tx, self.0, &mut taken).await?;

        let (mut admitted, mut slots, mut parked) = (Vec::with_capacity(rows.len()), Vec::new(), Vec::new());
        for (ready, limit) in rows.into_iter().zip(limits) {
            let Some((key, running)) = limit else {
                admitted.push(ready);
                continue;
            };
            let in_use = taken.entry(key.clone()).or_default();
            if *in_use < running {
                *in_use += 1;
                slots.push(Slot { key, step: ready.key, token: ready.token });
                admitted.push(ready);
            } else {
                parked.push(Parked { key, running, ready });
            }
        }
        tx.take_slots(&slots).await?;
        tx.park(&parked).await?;
        let unused: Vec<LimitKey> = keys.into_iter().filter(|key| !taken.contains_key(key)).collect();
        tx.forget_limits(&unused).await?;
        Ok((admitted, unparked))
    }
}

/// Makes parked steps claimable, as many as slots are free of each key. They count as taken here, so that
/// they are not overtaken by what was just claimed.
async fn unpark<T: Tx>(
    tx: &mut T,
    limits: BTreeMap<LimitKey, usize>,
    taken: &mut HashMap<LimitKey, usize>,
) -> Result<bool> {
    let free = |(key, running): (LimitKey, usize)| {
        let free = running.saturating_sub(taken.get(&key).copied().unwrap_or_default());
        (free > 0).then_some((key, free))
    };
    let free: Vec<(LimitKey, usize)> = limits.into_iter().filter_map(free).collect();
    let mut unparked = Vec::new();
    for (key, rows) in tx.unpark(&free).await? {
        *taken.entry(key).or_default() += 1;
        unparked.push(rows);
    }
    tx.put_ready(&unparked).await?;
    Ok(!unparked.is_empty())
}

/// For how many keys one [`Unpark`] looks.
const KEYS: usize = 500;
/// How often one is worth while, over all processes.
const EVERY: Duration = Duration::from_millis(500);

/// Makes parked steps claimable for which slots are free though nobody said so: an operation by hand
/// took a step from its worker, or a limit was raised.
pub struct Unpark;

impl Transaction for Unpark {
    /// Whether steps were made claimable.
    type Output = bool;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<bool> {
        if !tx.begin_chore("limits", EVERY).await? {
            return Ok(false);
        }
        let mut keys: Vec<LimitKey> = tx.open_limits(KEYS).await?.into_iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        tx.lock_limits(&keys).await?;
        // Again, under the locks.
        let mut free = tx.open_limits(KEYS).await?;
        free.retain(|(key, _)| keys.binary_search(key).is_ok());
        let ready: Vec<ReadyRow> = tx.unpark(&free).await?.into_iter().map(|(_, row)| row).collect();
        tx.put_ready(&ready).await?;
        Ok(!ready.is_empty())
    }
}
