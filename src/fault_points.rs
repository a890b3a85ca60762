//! Places at which a test can make something go wrong: see [`Point`]. Without the Cargo feature
//! `fault_points`, which no released build has, [`fault_point!`](crate::fault_point) compiles to
//! nothing.

/// A place at which a fault can be armed. A new one also stands in [`Point::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A value of the host on its way in.
    ConversionIn,
    /// A value on its way out to the host.
    ConversionOut,
    /// A method that the host calls.
    NativeMethod,
    /// An operation on the runtime, before it begins.
    Call,
    /// A transaction that writes, whatever the store, before what it does.
    Transaction,
    /// Before SQLite's commit.
    SqliteBeforeCommit,
    /// After SQLite's commit, before anybody is told.
    SqliteAfterCommit,
    /// The turn of SQLite's writing thread.
    SqliteWriter,
    /// Before PostgreSQL's commit.
    PostgresBeforeCommit,
    /// After PostgreSQL's commit, before anybody is told.
    PostgresAfterCommit,
    /// The conversation about wake-ups with PostgreSQL.
    Notifier,
    /// The loop of a worker that settles and claims.
    Dispatcher,
    /// The renewal of this process's session.
    Keeper,
    /// The look for the tasks that are waited for.
    Look,
}

impl Point {
    /// Every point.
    pub const ALL: [Self; 14] = [
        Self::ConversionIn,
        Self::ConversionOut,
        Self::NativeMethod,
        Self::Call,
        Self::Transaction,
        Self::SqliteBeforeCommit,
        Self::SqliteAfterCommit,
        Self::SqliteWriter,
        Self::PostgresBeforeCommit,
        Self::PostgresAfterCommit,
        Self::Notifier,
        Self::Dispatcher,
        Self::Keeper,
        Self::Look,
    ];

    /// What tests call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConversionIn => "conversion_in",
            Self::ConversionOut => "conversion_out",
            Self::NativeMethod => "native_method",
            Self::Call => "call",
            Self::Transaction => "transaction",
            Self::SqliteBeforeCommit => "sqlite_before_commit",
            Self::SqliteAfterCommit => "sqlite_after_commit",
            Self::SqliteWriter => "sqlite_writer",
            Self::PostgresBeforeCommit => "postgres_before_commit",
            Self::PostgresAfterCommit => "postgres_after_commit",
            Self::Notifier => "notifier",
            Self::Dispatcher => "dispatcher",
            Self::Keeper => "keeper",
            Self::Look => "look",
        }
    }
}

/// The error of a fault that was armed as one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a fault was injected at {0}")]
pub struct Injected(pub &'static str);

/// Does what was armed at a [`Point`]; an error leaves the function, as `?` does.
#[cfg(feature = "fault_points")]
#[macro_export]
macro_rules! fault_point {
    ($point:ident) => {
        $crate::fault_points::reach($crate::fault_points::Point::$point)?
    };
}

/// Nothing: the feature `fault_points` is off.
#[cfg(not(feature = "fault_points"))]
#[macro_export]
macro_rules! fault_point {
    ($point:ident) => {};
}

#[cfg(feature = "fault_points")]
pub use armed::{Action, arm, disarm, left, reach};

#[cfg(feature = "fault_points")]
mod armed {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::{Injected, Point};

    /// What happens at an armed point.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Action {
        /// It panics.
        Panic,
        /// It fails with an error.
        Error,
        /// It takes so long, and its thread with it.
        Delay(Duration),
    }

    struct Armed {
        point: Point,
        action: Action,
        times: usize,
    }

    static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());
    /// How many times are left in all, so that nobody takes the lock for nothing.
    static LEFT: AtomicUsize = AtomicUsize::new(0);

    /// Has `action` happen the next `times` that `point` is reached.
    pub fn arm(point: Point, action: Action, times: usize) {
        ARMED.lock().push(Armed { point, action, times });
        LEFT.fetch_add(times, Ordering::AcqRel);
    }

    /// Takes back everything that was armed.
    pub fn disarm() {
        let mut armed = ARMED.lock();
        armed.clear();
        LEFT.store(0, Ordering::Release);
    }

    /// How many of the armed times have not come yet.
    pub fn left() -> usize {
        LEFT.load(Ordering::Acquire)
    }

    /// Does what was armed at this point, if anything.
    ///
    /// # Errors
    /// When that is an error.
    ///
    /// # Panics
    /// When that is a panic.
    pub fn reach(point: Point) -> Result<(), Injected> {
        match left() {
            0 => Ok(()),
            _ => match next(point) {
                None => Ok(()),
                Some(Action::Panic) => panic!("a fault was injected at {}", point.name()),
                Some(Action::Error) => Err(Injected(point.name())),
                Some(Action::Delay(span)) => {
                    std::thread::sleep(span);
                    Ok(())
                }
            },
        }
    }

    fn next(point: Point) -> Option<Action> {
        let mut armed = ARMED.lock();
        let found = armed.iter_mut().find(|armed| armed.point == point && armed.times > 0)?;
        found.times -= 1;
        LEFT.fetch_sub(1, Ordering::AcqRel);
        Some(found.action)
    }
}
