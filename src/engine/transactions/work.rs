//! What there is to do for a claimed step: its handler runs, for itself or for an item of a list; or
//! its list is made, or the key of its limit; or the results of its items are put together, which takes no handler.

use std::collections::HashMap;

use super::intake::{Assignment, Known};
use super::verdict::{Failure, Outcome};
use crate::domain::fan_out::{self, Each};
use crate::domain::fault::Fault;
use crate::domain::id::{StepIndex, StepKey, Token};
use crate::domain::json::Json;
use crate::storage::rows::{ExpandedStep, ReadyRow};
use crate::storage::{Result, Tx};

/// The most bytes that the results of all items of a list may have together.
const MOST_BYTES: usize = 64 * 1_024 * 1_024;

/// See the module.
#[derive(Clone, Debug, Default)]
pub enum Work {
    /// The handler runs.
    #[default]
    Handle,
    /// The handler runs for this item.
    Item {
        /// Its place in the list.
        position: StepIndex,
        /// The item.
        item: Json,
    },
    /// A list is made.
    List,
    /// The key of its limit is made; then it is claimed again.
    Key,
    /// The items are done.
    Gather {
        /// What they came to, in order; `None` for one that was skipped.
        results: Vec<Option<Json>>,
        /// How many attempts the list took.
        attempts: u16,
    },
}

/// What there is to do for the rows of templates with lists; nothing is read for others.
pub(super) async fn works<T: Tx>(tx: &mut T, rows: &[ReadyRow], known: &Known) -> Result<HashMap<StepKey, Work>> {
    let (mut works, mut items, mut groups) = (HashMap::new(), Vec::new(), Vec::new());
    for row in rows {
        let Some(task) = known.tasks.get(&row.key.task) else { continue };
        let lists = &task.template().groups;
        if lists.item(row.key.index).is_some() {
            items.push(row.key);
        } else if lists.each(row.key.index).is_some() {
            works.insert(row.key, Work::List);
            // Making the list raised the token.
            if row.token > Token(0) {
                groups.push(row.key);
            }
        }
    }
    for (key, item) in tx.items(&items).await? {
        let place = known.tasks.get(&key.task).and_then(|task| task.template().groups.item(key.index));
        works.insert(key, Work::Item { position: place.map_or(0, |(_, position)| position), item });
    }
    for ExpandedStep { key, items, attempts } in tx.expanded(&groups).await? {
        let Some(task) = known.tasks.get(&key.task) else { continue };
        let item = |position| task.template().groups.item_index(key.index, position);
        let keys: Vec<StepKey> = (0..items).filter_map(item).map(|index| StepKey { task: key.task, index }).collect();
        let mut found: HashMap<StepKey, Json> = tx.results(&keys).await?.into_iter().collect();
        let results = keys.iter().map(|key| found.remove(key)).collect();
        works.insert(key, Work::Gather { results, attempts });
    }
    Ok(works)
}

impl Assignment {
    /// What comes of it, where that takes no handler.
    pub fn without_handler(&self) -> Option<Outcome> {
        let outcome = match &self.work {
            Work::Gather { results, .. } => gathered(results).map(Outcome::Succeeded),
            Work::List => match self.task.template().groups.each(self.row.key.index)? {
                Each::Path { parent, keys, text } => self.list_in(*parent, keys, text).map(Outcome::Expanded),
                Each::Host => return None,
            },
            Work::Handle | Work::Item { .. } | Work::Key => return None,
        };
        Some(outcome.unwrap_or_else(|fault| Outcome::Failed(Failure::for_good(&fault))))
    }

    /// The list that stands in a parent's result; it is empty where the parent was skipped.
    fn list_in(&self, parent: StepIndex, keys: &[String], text: &str) -> std::result::Result<Vec<Json>, Fault> {
        let result = self.parents.iter().find(|(index, _)| *index == parent).and_then(|(_, result)| result.as_ref());
        let Some(result) = result else { return Ok(Vec::new()) };
        fan_out::items(result, keys).map_err(|fault| Fault { message: format!("{text:?}: {}", fault.message), ..fault })
    }
}

/// The results of items as one list.
fn gathered(results: &[Option<Json>]) -> std::result::Result<Json, Fault> {
    let bytes: usize = results.iter().map(|result| result.as_ref().map_or(4, |json| json.as_str().len()) + 1).sum();
    if bytes > MOST_BYTES {
        let message =
            format!("the results of the items have {bytes} bytes together, and at most {MOST_BYTES} are kept");
        return Err(Fault::new("result", message).with(format!("at most {MOST_BYTES} bytes"), bytes.to_string()));
    }
    let mut list = String::with_capacity(bytes + 2);
    list.push('[');
    for (place, result) in results.iter().enumerate() {
        if place > 0 {
            list.push(',');
        }
        list.push_str(result.as_ref().map_or("null", Json::as_str));
    }
    list.push(']');
    Ok(Json::from_trusted(list))
}
