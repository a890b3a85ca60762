//! What was committed, told to one listener in the order in which it happened.
//!
//! A transaction that depends on another one, having waited for its lock or read its rows, asks for
//! its own commit after the other one did. So each takes its place in line when it asks to be
//! committed, and the listener hears of it when everything before it in line is settled. Nothing is
//! gathered while nobody listens.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::StoreError;
use super::rows::{StepTransition, TaskTransition};
use crate::domain::time::Timestamp;
use crate::fault_point;

/// A transition that a transaction recorded, and when, by the database's clock.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// Of a step.
    Step(StepTransition, Timestamp),
    /// Of a task.
    Task(TaskTransition, Timestamp),
}

/// What one transaction recorded, in its order.
pub type Batch = Vec<Recorded>;

/// What the listener is told.
#[derive(Debug)]
pub enum Told {
    /// This was committed.
    Committed(Batch),
    /// This may have been committed: the answer to the commit was lost. Where it was not, and the
    /// transaction is run again, it is told once more.
    InDoubt(Batch),
}

type Listener = Box<dyn Fn(Told) + Send + Sync>;

/// See the module.
#[derive(Default)]
pub struct Feed {
    open: AtomicBool,
    listener: OnceLock<Listener>,
    line: Mutex<Line>,
}

/// Those who asked to be committed, from the first that is not settled on.
#[derive(Default)]
struct Line {
    /// How many were told and left the line.
    gone: u64,
    waiting: VecDeque<Waiting>,
}

enum Waiting {
    Unsettled,
    Settled(Option<Told>),
}

impl Feed {
    /// Has `listener` told of every commit while the feed is open. It is called on the threads that
    /// commit, one call at a time, and must not block. Only the first listener counts.
    pub fn listen(&self, listener: impl Fn(Told) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// Opens or shuts it. A transaction that began while it was shut is not told of.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }

    /// What a transaction that begins now keeps its transitions in.
    pub fn recording(&self) -> Recording {
        Recording(self.open.load(Ordering::Acquire).then(Vec::new))
    }

    /// Takes the next place in line for a transaction that is about to be committed.
    pub fn stand_in_line(self: &Arc<Self>, batch: Batch) -> Place {
        let mut line = self.line.lock();
        line.waiting.push_back(Waiting::Unsettled);
        let number = line.gone + line.waiting.len() as u64 - 1;
        Place { feed: self.clone(), number, batch: Some(batch) }
    }

    fn settle(&self, number: u64, told: Option<Told>) {
        let mut line = self.line.lock();
        let index = number - line.gone;
        if let Some(waiting) = usize::try_from(index).ok().and_then(|index| line.waiting.get_mut(index)) {
            *waiting = Waiting::Settled(told);
        }
        // Told under the lock: otherwise two threads could tell in another order than they took.
        while let Some(Waiting::Settled(told)) = line.waiting.front_mut() {
            if let (Some(told), Some(listener)) = (told.take(), self.listener.get()) {
                fault_point!(FeedTold or panic);
                listener(told);
            }
            line.waiting.pop_front();
            line.gone += 1;
        }
    }
}

/// The transitions of a transaction under way; nothing when nobody listens.
#[derive(Default)]
pub struct Recording(Option<Vec<Recorded>>);

impl Recording {
    /// One that keeps nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether anything is kept.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps transitions of steps. A transaction that has no time yet recorded none.
    pub fn steps(&mut self, rows: &[StepTransition], at: Option<Timestamp>) {
        if let (Some(recorded), Some(at)) = (&mut self.0, at) {
            recorded.extend(rows.iter().map(|row| Recorded::Step(row.clone(), at)));
        }
    }

    /// Keeps transitions of tasks.
    pub fn tasks(&mut self, rows: &[TaskTransition], at: Option<Timestamp>) {
        if let (Some(recorded), Some(at)) = (&mut self.0, at) {
            recorded.extend(rows.iter().map(|row| Recorded::Task(row.clone(), at)));
        }
    }

    /// What there is to tell, if anything.
    pub fn into_batch(self) -> Option<Batch> {
        self.0.filter(|recorded| !recorded.is_empty())
    }
}

/// A place in line. Dropped unsettled, its commit is in doubt: whoever waited for the answer is gone.
pub struct Place {
    feed: Arc<Feed>,
    number: u64,
    batch: Option<Batch>,
}

impl Place {
    /// Says how the commit went.
    pub fn settle(mut self, committed: Result<(), &StoreError>) {
        let batch = self.batch.take();
        let told = batch.and_then(|batch| match committed {
            Ok(()) => Some(Told::Committed(batch)),
            Err(error) if error.is_doubtful() => Some(Told::InDoubt(batch)),
            Err(_) => None,
        });
        self.feed.settle(self.number, told);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.feed.settle(self.number, Some(Told::InDoubt(batch)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{RevisionId, TaskId};

    fn born() -> TaskTransition {
        TaskTransition::created(TaskId::generate(), RevisionId(1))
    }

    fn batch(at: i64) -> Batch {
        vec![Recorded::Task(born(), Timestamp(at))]
    }

    fn times(batch: &Batch) -> Vec<i64> {
        let at = |recorded: &Recorded| match recorded {
            Recorded::Task(_, at) | Recorded::Step(_, at) => at.0,
        };
        batch.iter().map(at).collect()
    }

    fn listening() -> (Arc<Feed>, Arc<Mutex<Vec<String>>>) {
        let (feed, heard) = (Arc::new(Feed::default()), Arc::new(Mutex::new(Vec::new())));
        let hears = heard.clone();
        feed.listen(move |told| {
            hears.lock().push(match told {
                Told::Committed(batch) => format!("{:?} committed", times(&batch)),
                Told::InDoubt(batch) => format!("{:?} in doubt", times(&batch)),
            });
        });
        (feed, heard)
    }

    #[test]
    fn tells_in_the_order_of_the_line_however_the_answers_come() {
        let (feed, heard) = listening();
        let [first, second, third] = [1, 2, 3].map(|at| feed.stand_in_line(batch(at)));
        third.settle(Ok(()));
        second.settle(Ok(()));
        assert_eq!(*heard.lock(), [""; 0], "the first is not settled");
        first.settle(Ok(()));
        assert_eq!(*heard.lock(), ["[1] committed", "[2] committed", "[3] committed"]);
    }

    #[test]
    fn says_nothing_of_what_failed_and_what_is_not_known_of_the_rest() {
        let (feed, heard) = listening();
        let [failed, cut_off, given_up, last] = [1, 2, 3, 4].map(|at| feed.stand_in_line(batch(at)));
        failed.settle(Err(&StoreError::Conflict("serialization".into())));
        cut_off.settle(Err(&StoreError::Disconnected("reset".into())));
        drop(given_up);
        last.settle(Ok(()));
        assert_eq!(*heard.lock(), ["[2] in doubt", "[3] in doubt", "[4] committed"]);
    }

    #[test]
    fn keeps_nothing_while_it_is_shut() {
        let (feed, _) = listening();
        let told_of = |open| {
            feed.set_open(open);
            let mut recording = feed.recording();
            recording.tasks(&[born(), born()], Some(Timestamp(1)));
            recording.into_batch().map(|batch| batch.len())
        };
        assert_eq!([told_of(true), told_of(false)], [Some(2), None]);
    }
}
