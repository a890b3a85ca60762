//! Places at which a test can make something go wrong: see [`Point`]. Without the Cargo feature
//! `fault_points`, which no released build has, [`fault_point!`](crate::fault_point) compiles to
//! nothing.

#[cfg(feature = "fault_points")]
mod armed;

#[cfg(feature = "fault_points")]
pub use armed::{Action, arm, arm_later, disarm, left, reach, reach_or_panic, reached};

/// A point is its documentation, its name here, its name for tests, and the one store that has it, unless both do.
macro_rules! points {
    ($($(#[$doc:meta])+ $point:ident = $name:literal $(of $store:literal)?,)+) => {
        /// A place at which a fault can be armed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Point {
            $($(#[$doc])+ $point,)+
        }

        impl Point {
            /// Every point.
            pub const ALL: &'static [Self] = &[$(Self::$point,)+];

            /// What tests call it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }

            /// The backend that alone reaches it; `None` where both do.
            pub const fn store(self) -> Option<&'static str> {
                match self {
                    $(Self::$point => points!(@store $($store)?),)+
                }
            }
        }
    };
    (@store) => { None };
    (@store $store:literal) => { Some($store) };
}

points! {
    /// A value of the host on its way in.
    ConversionIn = "conversion_in",
    /// A value on its way out to the host.
    ConversionOut = "conversion_out",
    /// A method that the host calls.
    NativeMethod = "native_method",
    /// An operation on the runtime, before it begins.
    Call = "call",
    /// An operation on the runtime that has done what it was to do, before its caller is told.
    Answer = "answer",
    /// Between what a migration does and the note that it was done.
    Migration = "migration",
    /// A transaction that writes, whatever the store, before what it does.
    Transaction = "transaction",
    /// An idle worker that a creation has found, and whose free hands it is about to keep.
    Reserving = "reserving",
    /// A creation that has written its tasks, and has yet to hand over their first steps.
    Creating = "creating",
    /// A batch of reports whose steps are settled, and which has yet to claim.
    Settling = "settling",
    /// A lost receipt whose steps are released, and which is still there.
    Recovering = "recovering",
    /// An operation by hand that has taken its task out of the queue, and has yet to put it back.
    Operating = "operating",
    /// After a creation's commit, before a worker has what was claimed with it.
    Created = "created",
    /// After the commit of a batch, before the worker has what was claimed.
    Settled = "settled",
    /// Before SQLite runs one of a set of statements, or looks up one of a set of rows.
    SqliteStatement = "sqlite_statement" of "sqlite",
    /// Between two transactions that SQLite commits together.
    SqliteGroup = "sqlite_group" of "sqlite",
    /// Before SQLite's commit.
    SqliteBeforeCommit = "sqlite_before_commit" of "sqlite",
    /// After SQLite's commit, before anybody is told.
    SqliteAfterCommit = "sqlite_after_commit" of "sqlite",
    /// Between the answers to those whose transactions SQLite committed together.
    SqliteReply = "sqlite_reply" of "sqlite",
    /// After those answers, before SQLite's log is looked at.
    SqliteCheckpoint = "sqlite_checkpoint" of "sqlite",
    /// The turn of SQLite's writing thread.
    SqliteWriter = "sqlite_writer" of "sqlite",
    /// Before a statement is sent to PostgreSQL.
    PostgresStatement = "postgres_statement" of "postgres",
    /// Before PostgreSQL's commit.
    PostgresBeforeCommit = "postgres_before_commit" of "postgres",
    /// After PostgreSQL's commit, before anybody is told.
    PostgresAfterCommit = "postgres_after_commit" of "postgres",
    /// The conversation about wake-ups with PostgreSQL, before it begins.
    Notifier = "notifier" of "postgres",
    /// A wake-up on its way to others through PostgreSQL.
    Announcement = "announcement" of "postgres",
    /// The loop of a worker that settles and claims.
    Dispatcher = "dispatcher",
    /// The renewal of this process's session.
    Keeper = "keeper",
    /// The look for the tasks that are waited for.
    Look = "look",
    /// What was committed, on its way to those who listen.
    FeedTold = "feed_told",
    /// An event on its way into the queue of one who listens.
    EventHeard = "event_heard",
    /// Events on their way out of that queue.
    EventTaken = "event_taken",
}

/// The error of a fault that was armed as one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a fault was injected at {0}")]
pub struct Injected(pub &'static str);

/// Does what was armed at a [`Point`]; an error leaves the function, as `?` does. With `or panic`, where nothing can
/// fail, it is a panic.
#[cfg(feature = "fault_points")]
#[macro_export]
macro_rules! fault_point {
    ($point:ident) => {
        $crate::fault_points::reach($crate::fault_points::Point::$point)?
    };
    ($point:ident or panic) => {
        $crate::fault_points::reach_or_panic($crate::fault_points::Point::$point)
    };
}

/// Nothing: the feature `fault_points` is off.
#[cfg(not(feature = "fault_points"))]
#[macro_export]
macro_rules! fault_point {
    ($point:ident $(or panic)?) => {};
}
