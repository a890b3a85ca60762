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

struct Armory {
    armed: Vec<Armed>,
    /// How often everything was taken back: it ends the delays that have begun.
    taken_back: usize,
}

static ARMORY: Mutex<Armory> = Mutex::new(Armory { armed: Vec::new(), taken_back: 0 });
static TAKEN_BACK: Condvar = Condvar::new();
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
    ARMORY.lock().armed.push(armed);
    LEFT.fetch_add(times, Ordering::AcqRel);
}

/// Takes back everything that was armed, and ends the delays that have begun.
pub fn disarm() {
    let mut armory = ARMORY.lock();
    armory.armed.clear();
    armory.taken_back += 1;
    LEFT.store(0, Ordering::Release);
    TAKEN_BACK.notify_all();
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
            Some((Action::Panic, _)) => panic!("a fault was injected at {}", point.name()),
            Some((Action::Error, _)) => Err(Injected(point.name())),
            Some((Action::Delay(span), taken_back)) => {
                let still = |armory: &mut Armory| armory.taken_back == taken_back;
                TAKEN_BACK.wait_while_for(&mut ARMORY.lock(), still, span);
                Ok(())
            }
            Some((Action::Abort, _)) => abort(),
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

/// What is to happen, and how often everything had been taken back by then.
fn next(point: Point) -> Option<(Action, usize)> {
    let mut armory = ARMORY.lock();
    let found = armory.armed.iter_mut().find(|armed| armed.point == point && armed.times > 0)?;
    if found.passing > 0 {
        found.passing -= 1;
        return None;
    }
    found.times -= 1;
    LEFT.fetch_sub(1, Ordering::AcqRel);
    Some((found.action, armory.taken_back))
}

/// Ends the process as the kernel does that runs out of memory: nothing is written back, nobody is told.
fn abort() -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    // Nothing comes back from this; where it does, the other way leaves nothing undone either.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
