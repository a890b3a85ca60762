//! What operations by hand come to, over random tasks.

use proptest::prelude::*;
use tasker_core::domain::branches::Branches;
use tasker_core::domain::graph::Graph;
use tasker_core::domain::id::{StepIndex, TaskId};
use tasker_core::domain::json::Json;
use tasker_core::domain::operation::{
    Arrangement, Change, Operation, Refused, Standing, StepOperation, StepStanding, TaskOperation, decide,
};
use tasker_core::domain::state::{StepState, TaskState};

#[derive(Debug)]
struct Case {
    graph: Graph,
    branches: Branches,
    state: TaskState,
    steps: Vec<StepStanding>,
}

impl Case {
    /// Steps by the numbers of those they need, in these states.
    fn new(needs: &[Vec<usize>], states: &[StepState], state: TaskState) -> Self {
        let names: Vec<String> = (0..needs.len()).map(|n| format!("s{n}")).collect();
        let lists: Vec<Vec<String>> = needs.iter().map(|n| n.iter().map(|n| format!("s{n}")).collect()).collect();
        let edges: Vec<(&str, &[String])> =
            names.iter().map(String::as_str).zip(lists.iter().map(|l| &l[..])).collect();
        let standing = |&state| StepStanding { state, result: None, route: None, bypassed: false, group: None };
        let steps = states.iter().map(standing).collect();
        Self { graph: Graph::build(&edges).unwrap(), branches: Branches::default(), state, steps }
    }

    fn decide(&self, operation: &Operation) -> Result<Option<Change>, Box<Refused>> {
        let standing = Standing {
            graph: &self.graph,
            branches: &self.branches,
            state: self.state,
            started: self.state != TaskState::Pending,
            priority: None,
            queue: None,
            steps: &self.steps,
        };
        decide(TaskId::generate(), &standing, operation, |_| "a step".into())
    }

    fn apply(&mut self, change: &Change) {
        self.state = change.task.last().copied().unwrap_or(self.state);
        for (index, to) in &change.steps {
            self.steps[*index as usize].state = *to;
        }
    }

    fn states(&self) -> Vec<StepState> {
        self.steps.iter().map(|step| step.state).collect()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (1_usize..12).prop_flat_map(|size| {
        let needs: Vec<_> = (0..size).map(|n| prop::collection::vec(any::<bool>(), n)).collect();
        let states = prop::collection::vec(prop::sample::select(StepState::ALL), size);
        (needs, states, prop::sample::select(TaskState::ALL)).prop_map(|(needs, states, state)| {
            let needs: Vec<Vec<usize>> =
                needs.iter().map(|row| (0..row.len()).filter(|&parent| row[parent]).collect()).collect();
            Case::new(&needs, &states, state)
        })
    })
}

/// One of each, on one of so many steps.
fn operation(kind: usize, step: StepIndex) -> Operation {
    match kind {
        0 => Operation::Task(TaskOperation::Cancel),
        1 => Operation::Task(TaskOperation::Pause),
        2 => Operation::Task(TaskOperation::Resume),
        3 => Operation::Task(TaskOperation::Retry),
        4 => Operation::Task(TaskOperation::RestartFrom(step)),
        5 => Operation::Task(TaskOperation::Resolve),
        6 => Operation::Task(TaskOperation::Update { priority: Some(Some(1)), queue: None }),
        7 => Operation::Step(step, StepOperation::Retry),
        8 => Operation::Step(step, StepOperation::Skip),
        _ => Operation::Step(step, StepOperation::Resolve(Json::null())),
    }
}

proptest! {
    #[test]
    fn what_may_run_waits_for_nothing_and_the_counts_are_those_of_the_states(case in cases(), paused: bool) {
        let states = case.states();
        let stands = Arrangement::of(&case.graph, &states, paused);
        let count = |state| states.iter().filter(|other| **other == state).count() as i32;
        prop_assert_eq!(stands.failed, count(StepState::Error));
        prop_assert_eq!(stands.live, stands.runnable.len() as i32 + count(StepState::InProgress));
        prop_assert!(!paused || stands.runnable.is_empty());
        for (index, state) in (0..).zip(&states) {
            let parents_done = case.graph.parents(index).iter().all(|&p| states[p as usize].satisfies_children());
            let may_run = state.is_unfinished() && *state != StepState::InProgress && parents_done && !paused;
            prop_assert_eq!(stands.runnable.contains(&index), may_run);
        }
    }

    #[test]
    fn an_operation_moves_by_the_tables_and_may_be_repeated(mut case in cases(), kind in 0_usize..10, step: u32) {
        let operation = operation(kind, step % case.steps.len() as StepIndex);
        let before = case.states();
        match case.decide(&operation) {
            Err(refused) => prop_assert!(!refused.allowed.contains(&refused.operation), "{}", refused),
            Ok(None) => {}
            Ok(Some(change)) => {
                for (index, to) in &change.steps {
                    let from = before[*index as usize];
                    prop_assert!(from.is_unfinished() || from != *to || *to == StepState::ResolvedManually);
                }
                case.apply(&change);
                let paused = case.state == TaskState::Paused;
                prop_assert_eq!(&change.arrangement, &Arrangement::of(&case.graph, &case.states(), paused));
                let stays = matches!(operation, Operation::Task(TaskOperation::Update { .. }));
                let at_rest = change.arrangement.live == 0;
                prop_assert!(stays || case.state != TaskState::InProgress || !at_rest, "it would hang");
                let result_kept = matches!(operation, Operation::Step(_, StepOperation::Resolve(_)));
                // What was resumed may have had nothing left to do.
                let ended_since = matches!(case.state, TaskState::Complete | TaskState::Error);
                if !(stays || result_kept || ended_since || matches!(operation, Operation::Step(_, _))) {
                    prop_assert_eq!(case.decide(&operation), Ok(None), "{:?}", operation);
                }
            }
        }
    }
}

#[test]
fn a_restart_keeps_what_comes_before_and_what_a_decision_left_out() {
    use StepState::{Complete, Pending, Skipped};
    // 0 decides between 1 and 2; 3 needs 1 and 4, 5 needs 2 alone, 6 joins.
    let needs: Vec<Vec<usize>> = vec![vec![], vec![0], vec![0, 4], vec![1, 4], vec![], vec![2], vec![3, 5]];
    let states = [Complete, Complete, Skipped, Complete, Complete, Skipped, Complete];
    let mut case = Case::new(&needs, &states, TaskState::Complete);
    let names: Vec<String> = (0..7).map(|n| format!("s{n}")).collect();
    let branches = [&names[1..3], &[], &[], &[], &[], &[], &[]];
    let branches: Vec<(&str, &[String])> = names.iter().map(String::as_str).zip(branches).collect();
    case.branches = Branches::build(&case.graph, &branches).unwrap();
    case.steps[0].route = Some(vec![1]);
    (case.steps[2].bypassed, case.steps[5].bypassed) = (true, true);
    let restarted = |first| {
        let change = case.decide(&Operation::Task(TaskOperation::RestartFrom(first))).unwrap().unwrap();
        assert!(change.steps.iter().all(|(_, to)| *to == Pending));
        change.steps.into_iter().map(|(index, _)| index).collect::<Vec<_>>()
    };
    assert_eq!(restarted(4), [3, 4, 6], "2 and 5 stay out");
    assert_eq!(restarted(0), [0, 1, 2, 3, 5, 6], "the decision is made anew");
    assert_eq!(restarted(2), [2, 5, 6], "by hand, what was left out runs");
    assert_eq!(restarted(6), [6]);
}

#[test]
fn a_decision_by_hand_leaves_out_as_a_handlers_does() {
    use StepState::{Error, Pending, ResolvedManually, Skipped};
    // 0 decides between 1 and 2; 3 needs 2 alone, 4 joins.
    let needs: Vec<Vec<usize>> = vec![vec![], vec![0], vec![0], vec![2], vec![1, 3]];
    let mut case = Case::new(&needs, &[Error, Pending, Pending, Pending, Pending], TaskState::Error);
    let names: Vec<String> = (0..5).map(|n| format!("s{n}")).collect();
    let branches = [&names[1..3], &[], &[], &[], &[]];
    let branches: Vec<(&str, &[String])> = names.iter().map(String::as_str).zip(branches).collect();
    case.branches = Branches::build(&case.graph, &branches).unwrap();
    let decision = Operation::Step(0, StepOperation::Decide(Json::null(), vec![1]));
    let change = case.decide(&decision).unwrap().unwrap();
    assert_eq!(change.steps, [(0, ResolvedManually), (2, Skipped), (3, Skipped)]);
    assert_eq!((&change.bypassed[..], &change.arrangement.runnable[..]), (&[2, 3][..], &[1][..]));
    assert_eq!((change.arrangement.waiting[4], &change.task[..]), (1, &[TaskState::InProgress][..]));
}

#[test]
fn a_decision_that_was_made_by_hand_is_made_anew_by_a_restart_only() {
    use StepState::{Pending, ResolvedManually, Skipped};
    let needs: Vec<Vec<usize>> = vec![vec![], vec![0], vec![0]];
    let mut case = Case::new(&needs, &[ResolvedManually, Pending, Skipped], TaskState::InProgress);
    case.steps[0].route = Some(vec![1]);
    case.steps[0].result = Some(Json::null());
    case.steps[2].bypassed = true;
    let other = Operation::Step(0, StepOperation::Decide(Json::null(), vec![2]));
    let plain = Operation::Step(0, StepOperation::Resolve(Json::from_trusted("1")));
    for refused in [other, plain] {
        assert_eq!(case.decide(&refused).unwrap_err().allowed, [""; 0], "{refused:?}");
    }
    let same = Operation::Step(0, StepOperation::Decide(Json::null(), vec![1]));
    assert_eq!(case.decide(&same), Ok(None));
}

/// 0 → 1 (a list of 5 and 6) → 2, 3 → 4: with the steps of the items behind the others.
fn with_items(state: TaskState, of_items: [StepState; 2], of_list: StepState) -> Case {
    use StepState::{Complete, Pending};
    let rest = if of_list == Complete { Complete } else { Pending };
    let needs: Vec<Vec<usize>> = vec![vec![], vec![0], vec![1], vec![], vec![2, 3]];
    let states = [Complete, of_list, rest, Complete, rest, of_items[0], of_items[1]];
    let mut case = Case::new(&needs, &states, state);
    case.graph = case.graph.with_items([1, 1]);
    for item in &mut case.steps[5..] {
        item.group = Some(1);
    }
    case
}

#[test]
fn the_steps_of_items_stand_behind_those_of_the_template() {
    let graph = with_items(TaskState::Complete, [StepState::Complete; 2], StepState::Complete).graph;
    assert_eq!((graph.len(), graph.parents(1), graph.children(0)), (7, &[0, 5, 6][..], &[1, 5, 6][..]));
    assert_eq!((graph.parents(6), graph.children(6)), (&[0][..], &[1][..]));
    assert_eq!(graph.with_items([]), graph);
}

#[test]
fn a_restart_at_a_list_or_before_it_makes_the_list_anew() {
    use StepState::{Complete, Pending};
    let case = with_items(TaskState::Complete, [Complete; 2], Complete);
    let restarted = |first| {
        let change = case.decide(&Operation::Task(TaskOperation::RestartFrom(first))).unwrap().unwrap();
        let moved: Vec<StepIndex> = change.steps.iter().map(|(index, _)| *index).collect();
        assert!(change.steps.iter().all(|(_, to)| *to == Pending));
        (moved, change.removed, change.arrangement.waiting, change.arrangement.runnable)
    };
    assert_eq!(restarted(0), (vec![0, 1, 2, 4], vec![5, 6], vec![0, 1, 1, 0, 1, 1, 1], vec![0]));
    assert_eq!(restarted(1), (vec![1, 2, 4], vec![5, 6], vec![0, 0, 1, 0, 1, 0, 0], vec![1]));
    assert_eq!(restarted(2), (vec![2, 4], vec![], vec![0, 0, 0, 0, 1, 0, 0], vec![2]));
    assert_eq!(restarted(6), (vec![1, 2, 4, 6], vec![], vec![0, 1, 1, 0, 1, 0, 0], vec![6]), "one item alone");
    assert_eq!(restarted(3), (vec![3, 4], vec![], vec![0, 0, 0, 0, 1, 0, 0], vec![3]));
}

#[test]
fn what_ends_a_list_by_hand_ends_its_items() {
    use StepState::{Cancelled, Complete, Error, Pending, ResolvedManually, Skipped};
    for (operation, to) in [(StepOperation::Skip, Skipped), (StepOperation::Resolve(Json::null()), ResolvedManually)] {
        let case = with_items(TaskState::Error, [Complete, Error], Pending);
        let change = case.decide(&Operation::Step(1, operation)).unwrap().unwrap();
        assert_eq!(change.steps, [(6, Cancelled), (1, to)]);
        assert_eq!((change.arrangement.runnable, change.arrangement.failed), (vec![2], 0));
    }
    let mut case = with_items(TaskState::InProgress, [Complete, Error], Pending);
    let change = case.decide(&Operation::Step(6, StepOperation::Skip)).unwrap().unwrap();
    assert_eq!(
        (&change.steps[..], &change.arrangement.runnable[..]),
        (&[(6, Skipped)][..], &[1][..]),
        "one item alone"
    );
    case.steps[1].state = ResolvedManually;
    case.steps[6].state = Cancelled;
    case.state = TaskState::Complete;
    let change = case.decide(&Operation::Task(TaskOperation::RestartFrom(3))).unwrap().unwrap();
    assert!(!change.steps.iter().any(|(index, _)| *index == 6), "nobody waits for it");
}
