//! What was armed, and how often each point was reached.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{Injected, Point};

/// What happens at an armed point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// It panics.
    Panic,
    /// It fails with an error.
    Error,
    /// It takes so long, and its thread with it; where everything is taken back, no longer.
    Delay(Duration),
    /// The process is gone, at once.
    Abort,
}

struct Armed {
    point: Point,
    action: Action,
    /// How often it is passed before.
    passing: usize,
    times: usize,
}

static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());
/// How often everything was taken back, for the delays that end with it.
static TAKEN_BACK: Mutex<usize> = Mutex::new(0);
static TAKING_BACK: Condvar = Condvar::new();
/// How many times are left in all, so that nobody takes the lock for nothing.
static LEFT: AtomicUsize = AtomicUsize::new(0);
static REACHED: [AtomicUsize; Point::ALL.len()] = [const { AtomicUsize::new(0) }; Point::ALL.len()];

/// Has `action` happen the next `times` that `point` is reached.
pub fn arm(point: Point, action: Action, times: usize) {
    put(Armed { point, action, passing: 0, times });
}

/// Has `action` happen once, when `point` was reached `passing` times without it.
pub fn arm_later(point: Point, action: Action, passing: usize) {
    put(Armed { point, action, passing, times: 1 });
}

fn put(armed: Armed) {
    let times = armed.times;
    ARMED.lock().push(armed);
    LEFT.fetch_add(times, Ordering::AcqRel);
}

/// Takes back everything that was armed, and ends the delays that have begun.
pub fn disarm() {
    let mut armed = ARMED.lock();
    armed.clear();
    LEFT.store(0, Ordering::Release);
    *TAKEN_BACK.lock() += 1;
    TAKING_BACK.notify_all();
}

/// How many of the armed times have not come yet.
pub fn left() -> usize {
    LEFT.load(Ordering::Acquire)
}

/// How often this process has reached a point.
pub fn reached(point: Point) -> usize {
    REACHED[point as usize].load(Ordering::Relaxed)
}

/// Does what was armed at this point, if anything.
///
/// # Errors
/// When that is an error.
///
/// # Panics
/// When that is a panic.
pub fn reach(point: Point) -> Result<(), Injected> {
    REACHED[point as usize].fetch_add(1, Ordering::Relaxed);
    match left() {
        0 => Ok(()),
        _ => match next(point) {
            None => Ok(()),
            Some(Action::Panic) => panic!("a fault was injected at {}", point.name()),
            Some(Action::Error) => Err(Injected(point.name())),
            Some(Action::Delay(span)) => {
                delay(span);
                Ok(())
            }
            Some(Action::Abort) => abort(),
        },
    }
}

/// The same where nothing can fail.
///
/// # Panics
/// When what was armed is a panic or an error.
pub fn reach_or_panic(point: Point) {
    if let Err(injected) = reach(point) {
        panic!("{injected}");
    }
}

fn next(point: Point) -> Option<Action> {
    let mut armed = ARMED.lock();
    let found = armed.iter_mut().find(|armed| armed.point == point && armed.times > 0)?;
    if found.passing > 0 {
        found.passing -= 1;
        return None;
    }
    found.times -= 1;
    LEFT.fetch_sub(1, Ordering::AcqRel);
    Some(found.action)
}

fn delay(span: Duration) {
    let mut taken_back = TAKEN_BACK.lock();
    let before = *taken_back;
    TAKING_BACK.wait_while_for(&mut taken_back, |now| *now == before, span);
}

/// Ends the process as the kernel does that runs out of memory: nothing is written back, nobody is told.
fn abort() -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    // Nothing comes back from this; where it does, the other way leaves nothing undone either.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
