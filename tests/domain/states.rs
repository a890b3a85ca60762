//! The tables of DESIGN §5, written out by hand: every (state, event) pair.

use tasker_core::domain::retry::{Backoff, BackoffKind, attempts_left};
use tasker_core::domain::state::{StepEvent, StepState, TaskEvent, TaskState};

/// In the order of [`StepState::ALL`]; `-` is a refusal.
const STEPS: &[(StepEvent, [&str; 8])] = {
    use StepEvent::*;
    #[rustfmt::skip]
    const TABLE: &[(StepEvent, [&str; 8])] = &[
        //                          pending, in_progress, waiting_for_retry, complete, error, skipped, cancelled, resolved_manually
        (Claim,                              ["in_progress", "-", "in_progress", "-", "-", "-", "-", "-"]),
        (Succeed,                            ["-", "complete", "-", "-", "-", "-", "-", "-"]),
        (Fail { attempts_left: true },       ["-", "waiting_for_retry", "-", "-", "-", "-", "-", "-"]),
        (Fail { attempts_left: false },      ["-", "error", "-", "-", "-", "-", "-", "-"]),
        (FailForGood,                        ["-", "error", "-", "-", "-", "-", "-", "-"]),
        (LoseLease { crashes_left: true },   ["-", "pending", "-", "-", "-", "-", "-", "-"]),
        (LoseLease { crashes_left: false },  ["-", "error", "-", "-", "-", "-", "-", "-"]),
        (Release,                            ["-", "pending", "-", "-", "-", "-", "-", "-"]),
        (Expand,                             ["-", "pending", "-", "-", "-", "-", "-", "-"]),
        (Skip,                               ["skipped", "-", "skipped", "-", "skipped", "-", "-", "-"]),
        (Retry,                              ["-", "-", "pending", "-", "pending", "-", "-", "-"]),
        (Resolve, ["resolved_manually", "resolved_manually", "resolved_manually", "-", "resolved_manually", "-", "resolved_manually", "resolved_manually"]),
        (Cancel,                             ["cancelled", "cancelled", "cancelled", "-", "cancelled", "-", "-", "-"]),
        (Restart,                            ["-", "-", "-", "pending", "pending", "pending", "pending", "pending"]),
    ];
    TABLE
};

/// In the order of [`TaskState::ALL`].
const TASKS: &[(TaskEvent, [&str; 7])] = {
    use TaskEvent::*;
    #[rustfmt::skip]
    const TABLE: &[(TaskEvent, [&str; 7])] = &[
        //                          pending, in_progress, paused, complete, error, cancelled, resolved_manually
        (Start,                     ["in_progress", "-", "-", "-", "-", "-", "-"]),
        (Finish,                    ["-", "complete", "-", "-", "-", "-", "-"]),
        (Stall,                     ["-", "error", "-", "-", "-", "-", "-"]),
        (Pause,                     ["paused", "paused", "-", "-", "-", "-", "-"]),
        (Resume { started: true },  ["-", "-", "in_progress", "-", "-", "-", "-"]),
        (Resume { started: false }, ["-", "-", "pending", "-", "-", "-", "-"]),
        (Retry,                     ["-", "-", "-", "-", "in_progress", "-", "-"]),
        (RestartFrom,               ["-", "-", "-", "in_progress", "in_progress", "in_progress", "in_progress"]),
        (Cancel,                    ["cancelled", "cancelled", "cancelled", "-", "cancelled", "-", "-"]),
        (Resolve, ["resolved_manually", "resolved_manually", "resolved_manually", "-", "resolved_manually", "resolved_manually", "resolved_manually"]),
        (Change,                    ["pending", "in_progress", "paused", "-", "error", "-", "-"]),
    ];
    TABLE
};

#[test]
fn every_event_of_a_step_leads_where_the_table_says() {
    for (event, row) in STEPS {
        for (state, expected) in StepState::ALL.iter().zip(row) {
            let settled = state.settle(*event);
            assert_eq!(settled.map_or("-", StepState::as_str), *expected, "{event:?} in {state}");
            if let Err(refusal) = settled {
                assert_eq!((refusal.state, refusal.event), (*state, *event));
                assert!(refusal.to_string().contains(state.as_str()));
            }
        }
    }
}

#[test]
fn every_event_of_a_task_leads_where_the_table_says() {
    for (event, row) in TASKS {
        for (state, expected) in TaskState::ALL.iter().zip(row) {
            assert_eq!(state.settle(*event).map_or("-", TaskState::as_str), *expected, "{event:?} in {state}");
        }
    }
}

#[test]
fn states_have_one_name_each() {
    assert!(StepState::ALL.iter().all(|state| StepState::parse(state.as_str()) == Some(*state)));
    assert!(TaskState::ALL.iter().all(|state| TaskState::parse(&state.to_string()) == Some(*state)));
    assert_eq!((StepState::parse("Pending"), TaskState::parse("")), (None, None));
    let unfinished: Vec<_> = StepState::ALL.iter().filter(|state| state.is_unfinished()).map(|s| s.as_str()).collect();
    assert_eq!(unfinished, ["pending", "in_progress", "waiting_for_retry"]);
    let satisfying: Vec<_> = StepState::ALL.iter().filter(|s| s.satisfies_children()).map(|s| s.as_str()).collect();
    assert_eq!(satisfying, ["complete", "skipped", "resolved_manually"]);
    let ended: Vec<_> = TaskState::ALL.iter().filter(|state| state.is_ended()).map(|s| s.as_str()).collect();
    assert_eq!(ended, ["complete", "error", "cancelled", "resolved_manually"]);
}

#[test]
fn delays_grow_by_their_kind_up_to_the_cap() {
    let seconds = |kind, attempts: [u16; 4]| {
        let backoff = Backoff { kind, base: 2.0, cap: 9.0, jitter: 0.0 };
        attempts.map(|attempt| backoff.delay(attempt, 0.5).as_secs_f64())
    };
    assert_eq!(seconds(BackoffKind::None, [1, 2, 3, 9]), [0.0; 4]);
    assert_eq!(seconds(BackoffKind::Linear, [1, 2, 4, 5]), [2.0, 4.0, 8.0, 9.0]);
    assert_eq!(seconds(BackoffKind::Exponential, [1, 2, 3, 4]), [2.0, 4.0, 8.0, 9.0]);
    assert_eq!(seconds(BackoffKind::Exponential, [0, 100, 10_000, u16::MAX]), [2.0, 9.0, 9.0, 9.0]);
}

#[test]
fn the_default_doubles_from_one_second_to_a_minute() {
    let delays = [1, 2, 3, 6, 7, 8].map(|attempt| Backoff::default().delay(attempt, 0.5).as_secs_f64());
    assert_eq!(delays, [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]);
}

proptest::proptest! {
    #[test]
    fn jitter_stays_within_its_share(attempt in 1_u16.., chance in 0.0..1.0_f64, jitter in 0.0..=1.0_f64) {
        let (plain, moved) = (Backoff { jitter: 0.0, ..Backoff::default() }, Backoff { jitter, ..Backoff::default() });
        let (plain, moved) = (plain.delay(attempt, 0.5).as_secs_f64(), moved.delay(attempt, chance).as_secs_f64());
        proptest::prop_assert!((moved - plain).abs() <= plain * jitter + 1e-6, "{plain} {moved}");
    }
}

#[test]
fn the_limit_counts_the_first_attempt() {
    assert!(attempts_left(2, true, 3) && !attempts_left(3, true, 3) && !attempts_left(1, true, 1));
    assert!(!attempts_left(1, false, 3));
}
