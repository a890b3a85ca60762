//! What is said of a task, against a straight computation of the same over random graphs.

use std::time::Duration;

use proptest::prelude::*;
use tasker_core::domain::analysis::figures::{Spread, Took, rate, steps_took, task_took};
use tasker_core::domain::analysis::readiness::{Readiness, readiness, unfinished_parents};
use tasker_core::domain::analysis::score::Signs;
use tasker_core::domain::analysis::shape::Shape;
use tasker_core::domain::analysis::standing::{ExecutionStatus, Health, Standing, bottlenecks};
use tasker_core::domain::analysis::{HeldBack, StepFacts, TaskFacts, ran_alone};
use tasker_core::domain::id::StepIndex;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;

use crate::growth;

const NOW: Timestamp = Timestamp(1_000_000_000);
const LATER: Timestamp = Timestamp(NOW.0 + 1);

type Edges = Vec<(StepIndex, StepIndex)>;

fn step(state: StepState) -> StepFacts {
    StepFacts {
        state,
        attempts: 0,
        started_at: None,
        finished_at: None,
        next_retry_at: None,
        items: None,
        held_back: None,
    }
}

fn ran(seconds: u64) -> StepFacts {
    let finished_at = Some(NOW.after(Duration::from_secs(seconds)));
    StepFacts { started_at: Some(NOW), finished_at, ..step(StepState::Complete) }
}

fn task(state: TaskState) -> TaskFacts {
    TaskFacts { state, run_at: None }
}

fn diamond() -> Shape {
    Shape::of(4, &[(0, 1), (0, 2), (1, 3), (2, 3)])
}

/// Every path of a small graph, from any step to any.
fn paths(steps: usize, edges: &Edges) -> Vec<Vec<StepIndex>> {
    let mut paths: Vec<Vec<StepIndex>> = (0..steps as StepIndex).map(|step| vec![step]).collect();
    let mut from = 0;
    while from < paths.len() {
        let path = paths[from].clone();
        let last = path[path.len() - 1];
        paths.extend(
            edges.iter().filter(|(parent, _)| *parent == last).map(|(_, child)| [&path[..], &[*child]].concat()),
        );
        from += 1;
    }
    paths
}

prop_compose! {
    /// A graph of up to nine steps whose order is shuffled, each with a state and a number of seconds.
    fn graphs()(steps in 1_usize..9)(
        order in Just((0..steps as StepIndex).collect::<Vec<_>>()).prop_shuffle(),
        wanted in prop::collection::vec(any::<bool>(), steps * steps),
        states in prop::collection::vec(prop::sample::select(StepState::ALL), steps),
        seconds in prop::collection::vec(0_u64..5, steps),
    ) -> (Edges, Vec<StepState>, Vec<u64>) {
        let pairs = (0..order.len()).flat_map(|a| (a + 1..order.len()).map(move |b| (a, b)));
        let edges = pairs.filter(|(a, b)| wanted[a * order.len() + b]).map(|(a, b)| (order[a], order[b]));
        (edges.collect(), states, seconds)
    }
}

proptest! {
    #[test]
    fn a_shape_is_what_its_paths_say((edges, _, seconds) in graphs()) {
        let steps = seconds.len();
        let (shape, paths) = (Shape::of(steps, &edges), paths(steps, &edges));
        let longest_to = |step: usize| paths.iter().filter(|path| path[path.len() - 1] as usize == step).map(Vec::len).max();
        let levels: Vec<u32> = (0..steps).map(|step| longest_to(step).unwrap() as u32 - 1).collect();
        prop_assert_eq!(shape.levels(), &levels[..]);
        prop_assert_eq!(shape.depth(), paths.iter().map(Vec::len).max().unwrap());
        let on = |level| levels.iter().filter(|found| **found == level).count();
        prop_assert_eq!(shape.width(), (0..steps as u32).map(on).max().unwrap());
        let (mut found, mut given): (Edges, Edges) = (shape.edges().collect(), edges.clone());
        found.sort_unstable();
        given.sort_unstable();
        prop_assert_eq!(found, given);
        prop_assert!(shape.roots().eq((0..steps as u32).filter(|step| edges.iter().all(|edge| edge.1 != *step))));
        prop_assert!(shape.leaves().eq((0..steps as u32).filter(|step| edges.iter().all(|edge| edge.0 != *step))));

        let took = |path: &Vec<StepIndex>| (path.iter().map(|&step| seconds[step as usize]).sum::<u64>(), path.len());
        let (path, whole) = shape.longest_path(|step| Duration::from_secs(seconds[step as usize]));
        prop_assert!(paths.contains(&path), "{:?} is no path", path);
        prop_assert_eq!(took(&path), paths.iter().map(took).max().unwrap());
        prop_assert_eq!(whole.as_secs(), took(&path).0);
    }

    #[test]
    fn readiness_is_what_the_states_of_parents_and_those_before_them_say((edges, states, _) in graphs()) {
        let facts: Vec<StepFacts> = states.iter().map(|&state| step(state)).collect();
        let shape = Shape::of(facts.len(), &edges);
        let found = readiness(task(TaskState::InProgress), &facts, &shape, NOW);
        let paths = paths(facts.len(), &edges);
        for (index, &state) in states.iter().enumerate() {
            let open: Vec<StepIndex> = shape.parents(index as u32).iter().copied()
                .filter(|&parent| !states[parent as usize].satisfies_children()).collect();
            prop_assert_eq!(unfinished_parents(index as u32, &facts, &shape).collect::<Vec<_>>(), open.clone());
            // A way to it from a step that ended badly, over none that is done.
            let lost = paths.iter().any(|path| {
                let (first, rest) = (states[path[0] as usize], &path[1..]);
                path.len() > 1 && path[path.len() - 1] as usize == index
                    && matches!(first, StepState::Error | StepState::Cancelled)
                    && rest[..rest.len() - 1].iter().all(|&step| !states[step as usize].satisfies_children())
            });
            let expected = match state {
                StepState::InProgress => Readiness::InProgress,
                StepState::Error => Readiness::Failed,
                StepState::Cancelled => Readiness::Cancelled,
                state if state.satisfies_children() => Readiness::Done,
                _ if lost => Readiness::BlockedByFailure,
                _ if open.is_empty() => Readiness::Ready,
                _ => Readiness::WaitingForParents,
            };
            prop_assert_eq!(found[index], expected, "step {} of {:?} with {:?}", index, edges, states);
        }
    }

    #[test]
    fn bottlenecks_are_open_steps_with_open_ones_behind_them((edges, states, _) in graphs()) {
        let facts: Vec<StepFacts> = states.iter().map(|&state| step(state)).collect();
        let shape = Shape::of(facts.len(), &edges);
        let open = |step: &StepIndex| !states[*step as usize].satisfies_children();
        let chain = |step: u32| paths(facts.len(), &edges).iter()
            .filter(|path| path[0] == step && path.iter().all(open)).map(Vec::len).max().unwrap_or(0);
        let mut expected: Vec<u32> = (0..facts.len() as u32)
            .filter(|step| chain(*step) > 1 && unfinished_parents(*step, &facts, &shape).next().is_none()).collect();
        expected.sort_by_key(|&step| (std::cmp::Reverse(chain(step)), step));
        prop_assert_eq!(bottlenecks(&facts, &shape), expected);
    }
}

#[test]
fn dense_layers_are_taken_apart_in_time_linear_in_their_edges() {
    let layers = 40_u32;
    // 16 times the edges, by 4 times the steps.
    growth::at_most(40.0, [10, 40], |wide| {
        let wide = wide as u32;
        let between = |layer: u32| {
            (0..wide).flat_map(move |a| (0..wide).map(move |b| (layer * wide + a, (layer + 1) * wide + b)))
        };
        let edges: Edges = (0..layers - 1).flat_map(between).collect();
        let facts = vec![step(StepState::Pending); (layers * wide) as usize];
        let shape = Shape::of(facts.len(), &edges);
        let standing = Standing::of(task(TaskState::Pending), &facts, &shape, NOW);
        let (path, _) = shape.longest_path(|_| Duration::from_secs(1));
        let found = (shape.depth(), shape.width(), shape.edges().count());
        let edges = wide * wide * (layers - 1);
        assert_eq!(found, (layers as usize, wide as usize, edges as usize));
        assert_eq!((path.len(), standing.ready, standing.bottlenecks.len()), (40, wide as usize, wide as usize));
    });
}

#[test]
fn the_longest_path_is_by_time_and_then_by_steps() {
    let shape = diamond();
    let took = |seconds: [u64; 4]| shape.longest_path(|step| Duration::from_secs(seconds[step as usize]));
    assert_eq!(took([1, 2, 3, 1]), (vec![0, 2, 3], Duration::from_secs(5)));
    assert_eq!(took([0; 4]), (vec![0, 1, 3], Duration::ZERO));
    assert_eq!(Shape::of(0, &[]).longest_path(|_| Duration::ZERO), (vec![], Duration::ZERO));
    assert_eq!((ran(3).ran(), step(StepState::Pending).ran()), (Duration::from_secs(3), Duration::ZERO));
}

#[test]
fn the_time_of_items_is_not_also_that_of_their_list() {
    let at = |seconds: u64| NOW.after(Duration::from_secs(seconds));
    let ran =
        |from, to| StepFacts { started_at: Some(at(from)), finished_at: Some(at(to)), ..step(StepState::Complete) };
    // The list is made from 1 to 2, its items run until 5 and 9, and it has their results at 10.
    let facts = [ran(0, 1), ran(2, 5), ran(3, 9), StepFacts { items: Some(2), ..ran(1, 10) }];
    let shape = diamond();
    assert_eq!(ran_alone(3, &facts, &shape), Duration::from_secs(1));
    assert_eq!(shape.longest_path(|step| ran_alone(step, &facts, &shape)), (vec![0, 2, 3], Duration::from_secs(8)));
    let resolved = [facts[0], step(StepState::Cancelled), step(StepState::Cancelled), facts[3]];
    assert_eq!(ran_alone(3, &resolved, &shape), Duration::from_secs(9), "no item ran");
    assert_eq!(ran_alone(0, &facts, &shape), Duration::from_secs(1));
}

#[test]
fn each_state_of_a_task_has_its_say() {
    use Readiness as R;
    let shape = Shape::of(4, &[(0, 1)]);
    let retrying = StepFacts { next_retry_at: Some(LATER), ..step(StepState::WaitingForRetry) };
    let due = StepFacts { next_retry_at: Some(NOW), ..retrying };
    let facts = [step(StepState::Pending), step(StepState::Pending), retrying, due];
    let of = |state, run_at| readiness(TaskFacts { state, run_at }, &facts, &shape, NOW);
    assert_eq!(of(TaskState::InProgress, None), [R::Ready, R::WaitingForParents, R::WaitingForRetry, R::Ready]);
    assert_eq!(of(TaskState::Pending, Some(NOW)), of(TaskState::InProgress, None));
    let later = [R::WaitingForStart, R::WaitingForParents, R::WaitingForRetry, R::WaitingForStart];
    assert_eq!(of(TaskState::Pending, Some(LATER)), later);
    assert_eq!(of(TaskState::Paused, Some(LATER)), [R::Paused, R::WaitingForParents, R::Paused, R::Paused]);
    assert_eq!(of(TaskState::Error, None), [R::TaskEnded, R::WaitingForParents, R::TaskEnded, R::TaskEnded]);
    let held = |held_back| StepFacts { held_back: Some(held_back), ..step(StepState::Pending) };
    let kept = [held(HeldBack::Limit), held(HeldBack::Limit), held(HeldBack::PausedQueue), retrying];
    let expected = [R::WaitingForLimit, R::WaitingForParents, R::QueuePaused, R::WaitingForRetry];
    assert_eq!(readiness(task(TaskState::InProgress), &kept, &shape, NOW), expected);
    for state in [TaskState::Complete, TaskState::Cancelled, TaskState::ResolvedManually] {
        assert_eq!(of(state, None), [R::TaskEnded; 4]);
    }
}

#[test]
fn a_task_stands_as_its_steps_do() {
    use {ExecutionStatus as E, Health as H, StepState as S, TaskState as T};
    let later = StepFacts { attempts: 1, next_retry_at: Some(LATER), ..step(S::WaitingForRetry) };
    let again = StepFacts { attempts: 2, ..step(S::InProgress) };
    let listed = StepFacts { attempts: 1, items: Some(2), ..step(S::Pending) };
    let gathers = StepFacts { attempts: 2, items: Some(2), ..step(S::InProgress) };
    let table: &[(T, [StepFacts; 4], E, H, f64)] = &[
        (T::Pending, [step(S::Pending); 4], E::HasReadySteps, H::Healthy, 0.0),
        (T::InProgress, [ran(1), later, step(S::Pending), step(S::Pending)], E::HasReadySteps, H::Recovering, 25.0),
        (
            T::InProgress,
            [ran(1), step(S::Error), step(S::Pending), step(S::Pending)],
            E::HasReadySteps,
            H::Degraded,
            25.0,
        ),
        (
            T::InProgress,
            [step(S::InProgress), step(S::Pending), step(S::Pending), step(S::Pending)],
            E::Processing,
            H::Healthy,
            0.0,
        ),
        (T::InProgress, [ran(1), again, later, step(S::Pending)], E::Processing, H::Recovering, 25.0),
        (T::InProgress, [ran(1), step(S::InProgress), ran(1), listed], E::Processing, H::Healthy, 50.0),
        (T::InProgress, [ran(1), later, ran(1), listed], E::WaitingForRetry, H::Recovering, 50.0),
        (T::InProgress, [ran(1), ran(1), gathers, step(S::Pending)], E::Processing, H::Healthy, 50.0),
        (T::InProgress, [ran(1), later, later, step(S::Pending)], E::WaitingForRetry, H::Recovering, 25.0),
        (T::InProgress, [ran(1), later, step(S::Error), step(S::Pending)], E::WaitingForRetry, H::Degraded, 25.0),
        (T::Error, [ran(1), ran(1), step(S::Error), step(S::Pending)], E::BlockedByFailures, H::Blocked, 50.0),
        (T::Paused, [ran(1), step(S::Pending), step(S::Skipped), step(S::Pending)], E::Paused, H::Healthy, 50.0),
        (T::Complete, [ran(1), step(S::Skipped), step(S::ResolvedManually), ran(1)], E::AllComplete, H::Healthy, 100.0),
        (T::ResolvedManually, [ran(1), step(S::Error), ran(1), step(S::Pending)], E::AllComplete, H::Healthy, 50.0),
        (
            T::Cancelled,
            [ran(1), step(S::Cancelled), step(S::Cancelled), step(S::Cancelled)],
            E::Cancelled,
            H::Healthy,
            25.0,
        ),
    ];
    let shape = diamond();
    for (state, facts, execution, health, completion) in table {
        let found = Standing::of(task(*state), facts, &shape, NOW);
        assert_eq!((found.execution, found.health, found.completion), (*execution, *health, *completion), "{facts:?}");
        assert_eq!(found.counts.iter().sum::<usize>(), 4);
        let waits = found.execution == E::WaitingForRetry || facts.iter().any(|facts| facts.next_retry_at.is_some());
        assert_eq!(found.next_retry_at, waits.then_some(LATER));
        assert_eq!(found.bottlenecks.is_empty(), matches!(state, T::Complete | T::Cancelled | T::ResolvedManually));
    }
    let waiting = TaskFacts { state: T::Pending, run_at: Some(LATER) };
    let found = Standing::of(waiting, &[step(S::Pending); 4], &shape, NOW);
    assert_eq!((found.execution, found.ready, found.bottlenecks), (E::WaitingForDependencies, 0, vec![0]));
}

#[test]
fn names_are_each_ones_own() {
    let mut names: Vec<&str> = Readiness::ALL.iter().map(|readiness| readiness.as_str()).collect();
    names.dedup();
    assert_eq!(names.len(), 13);
    let actions = ExecutionStatus::ALL.iter().map(|status| (status.as_str(), status.recommended_action()));
    assert_eq!(actions.collect::<std::collections::BTreeMap<_, _>>().len(), 8);
}

proptest! {
    #[test]
    fn a_percentile_is_the_smallest_duration_which_that_part_does_not_exceed(micros in prop::collection::vec(0_u64..500, 1..200)) {
        let all: Vec<Duration> = micros.iter().copied().map(Duration::from_micros).collect();
        let spread = Spread::of(all.clone()).unwrap();
        let straight = |percent: usize| {
            let enough = |limit: &&Duration| all.iter().filter(|one| one <= limit).count() * 100 >= percent * all.len();
            *all.iter().filter(enough).min().unwrap()
        };
        prop_assert_eq!((spread.p50, spread.p95, spread.p99), (straight(50), straight(95), straight(99)));
        prop_assert_eq!((spread.count, spread.max), (all.len(), *all.iter().max().unwrap()));
        prop_assert_eq!(spread.mean.as_micros(), u128::from(micros.iter().sum::<u64>()) / micros.len() as u128);
    }
}

#[test]
fn nothing_has_no_spread_and_no_rate() {
    assert_eq!((Spread::of(Vec::new()), rate(0, 0), rate(1, 4)), (None, None, Some(0.25)));
}

#[test]
fn a_step_waits_from_the_end_of_its_last_parent() {
    let at = |seconds: u64| NOW.after(Duration::from_secs(seconds));
    let ran =
        |from, to| StepFacts { started_at: Some(at(from)), finished_at: Some(at(to)), ..step(StepState::Complete) };
    let facts = [ran(3, 5), ran(6, 7), ran(5, 20), ran(21, 22)];
    let took =
        |running, waiting| Some(Took { running: Duration::from_secs(running), waiting: Duration::from_secs(waiting) });
    assert_eq!(steps_took(NOW, &facts, &diamond()), [took(2, 3), took(1, 1), took(15, 0), took(1, 1)]);
    let skipped = StepFacts { started_at: None, finished_at: Some(at(9)), ..step(StepState::Skipped) };
    assert_eq!(steps_took(at(4), &[facts[0], skipped, facts[2], facts[3]], &diamond())[..2], [took(2, 0), None]);
    assert_eq!(task_took(NOW, None, Some(at(1)), at(4)), took(3, 1));
    assert_eq!(task_took(NOW, Some(at(1)), Some(at(1)), at(4)), took(3, 0));
    assert_eq!(task_took(NOW, None, None, at(4)), None);
}

#[test]
fn a_score_falls_with_each_bad_sign() {
    let well =
        Signs { failed: 0, ended: 0, held: 0, expired: 0, oldest_ready: None, connections: 0, most_connections: 5 };
    let near =
        |signs: Signs, expected: f64| assert!((signs.score() - expected).abs() < 1e-9, "{signs:?} {}", signs.score());
    near(well, 1.0);
    near(Signs { failed: 1, ended: 4, ..well }, 0.9);
    near(Signs { held: 1, expired: 2, ..well }, 0.8);
    near(Signs { oldest_ready: Some(Duration::from_secs(150)), ..well }, 0.9);
    near(Signs { connections: 5, ..well }, 0.9);
    let worst = Signs { failed: 9, ended: 9, expired: 1, oldest_ready: Some(Duration::MAX), connections: 9, ..well };
    near(worst, 0.0);
}
