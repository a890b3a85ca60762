//! Panics as values: what was said, and where. A panic is a fault of this library; work that must
//! not take its thread or task with it runs through [`catch`] or [`caught`].
//!
//! What is caught says nothing of its place, only the panic hook is told. So ours, which is set
//! once, keeps that for the catcher of the same thread, and leaves every other panic to the hook
//! that was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// A panic that was caught.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault inside tasker_core, please report it: {message} ({})", place.as_deref().unwrap_or("nobody knows where"))]
pub struct Panic {
    /// What it said.
    pub message: String,
    /// File, line and column of the source.
    pub place: Option<String>,
}

thread_local! {
    /// How many catchers stand around what this thread runs.
    static CATCHERS: Cell<usize> = const { Cell::new(0) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic in it is an error.
///
/// # Errors
/// The panic.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(set_hook);
    CATCHERS.set(CATCHERS.get() + 1);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    CATCHERS.set(CATCHERS.get() - 1);
    done.map_err(|payload| LAST.take().unwrap_or_else(|| Panic { message: said(payload.as_ref()), place: None }))
}

pin_project! {
    /// See [`caught`]. It is as large as its work: an async function would keep that twice, as what it was given and as
    /// what it waits for.
    pub struct Caught<F> {
        #[pin]
        work: F,
    }
}

/// The same for work that waits.
///
/// # Errors
/// The panic.
pub fn caught<F: Future>(work: F) -> Caught<F> {
    Caught { work }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch(|| self.project().work.poll(context)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Err(panic).into(),
        }
    }
}

fn set_hook() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // A thread that is at its end has no such variables any more, and no catcher.
        match CATCHERS.try_with(Cell::get) {
            Ok(1..) => LAST.set(Some(seen(info))),
            _ => before(info),
        }
    }));
}

fn seen(info: &PanicHookInfo<'_>) -> Panic {
    Panic { message: said(info.payload()), place: info.location().map(ToString::to_string) }
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
    text.unwrap_or("unknown panic").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_has_its_words_and_its_place() {
        let line = line!() + 1;
        let caught = catch(|| panic!("number {}", 7)).map(|()| "nothing").expect_err("a panic");
        assert_eq!(caught.message, "number 7");
        let place = caught.place.as_deref().expect("a place");
        assert!(place.starts_with(&format!("{}:{line}:", file!())), "{place}");
        assert!(caught.to_string().ends_with(&format!("number 7 ({place})")), "{caught}");
    }

    #[test]
    fn the_inner_of_two_catchers_has_it_and_the_outer_goes_on() {
        let outer = catch(|| catch(|| panic!("inner")).map(|()| 0).map_err(|panic| panic.message));
        assert_eq!(outer, Ok(Err("inner".into())));
        assert_eq!(catch(|| 1), Ok(1));
    }

    #[tokio::test]
    async fn work_that_waits_is_caught_wherever_it_goes_on() {
        let work = async {
            tokio::task::yield_now().await;
            panic!("later")
        };
        let panic = tokio::spawn(caught(work)).await.expect("joined").map(|()| "nothing").expect_err("a panic");
        assert_eq!(panic.message, "later");
    }
}
