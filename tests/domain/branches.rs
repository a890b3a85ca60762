//! What decisions skip, against the rule as it is written, over random graphs.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use tasker_core::domain::branches::{Branches, bypassed};
use tasker_core::domain::graph::Graph;
use tasker_core::domain::id::StepIndex;
use tasker_core::domain::template::{Template, TemplateInput};

use crate::growth;

struct Case {
    graph: Graph,
    branches: Branches,
}

/// Steps by the numbers of those they need, and of those among which they choose.
fn case(steps: &[(Vec<usize>, Vec<usize>)]) -> Case {
    let name = |n: &usize| format!("s{n}");
    let names: Vec<String> = (0..steps.len()).map(|n| name(&n)).collect();
    let lists: Vec<(Vec<String>, Vec<String>)> = steps
        .iter()
        .map(|(needs, branches)| (needs.iter().map(name).collect(), branches.iter().map(name).collect()))
        .collect();
    let edges: Vec<(&str, &[String])> = names.iter().map(String::as_str).zip(lists.iter().map(|l| &l.0[..])).collect();
    let graph = Graph::build(&edges).unwrap();
    let branches: Vec<(&str, &[String])> =
        names.iter().map(String::as_str).zip(lists.iter().map(|l| &l.1[..])).collect();
    let branches = Branches::build(&graph, &branches).unwrap();
    Case { graph, branches }
}

/// The rule, looked up again and again until nothing changes.
fn by_the_rule(
    graph: &Graph,
    left_out: &[StepIndex],
    blocked: &BTreeSet<StepIndex>,
    before: &BTreeSet<StepIndex>,
) -> BTreeSet<StepIndex> {
    let mut skipped: BTreeSet<StepIndex> = left_out.iter().copied().filter(|step| blocked.contains(step)).collect();
    loop {
        let starved = |step: &&StepIndex| {
            let parents = graph.parents(**step);
            !parents.is_empty()
                && parents.iter().all(|parent| skipped.contains(parent) || before.contains(parent))
                && parents.iter().any(|parent| skipped.contains(parent))
        };
        let more: Vec<StepIndex> =
            blocked.iter().filter(|step| !skipped.contains(step)).filter(starved).copied().collect();
        if more.is_empty() {
            return skipped;
        }
        skipped.extend(more);
    }
}

fn graphs() -> impl Strategy<Value = Vec<(Vec<usize>, Vec<usize>)>> {
    (2..14_usize).prop_flat_map(|count| {
        let needs = (0..count).map(|n| proptest::sample::subsequence((0..n).collect::<Vec<_>>(), 0..=n.min(3)));
        let chosen = proptest::collection::vec(any::<u16>(), count);
        (needs.collect::<Vec<_>>(), chosen).prop_map(|(needs, chosen)| {
            let mut steps: Vec<(Vec<usize>, Vec<usize>)> = needs.iter().map(|of| (of.clone(), Vec::new())).collect();
            for (child, parents) in needs.iter().enumerate() {
                for &parent in parents.iter().filter(|&&parent| chosen[parent] >> child & 1 == 1) {
                    steps[parent].1.push(child);
                }
            }
            steps
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_skipped_is_what_the_rule_says_and_within_reach(
        steps in graphs(), left in any::<u64>(), blocked in any::<u64>(), before in any::<u64>(),
    ) {
        let Case { graph, branches } = case(&steps);
        let all = 0..graph.len() as StepIndex;
        let left_out: Vec<StepIndex> = all.clone().flat_map(|step| branches.of(step).to_vec()).filter(|step| left >> step & 1 == 1).collect();
        let blocked: BTreeSet<StepIndex> = all.clone().filter(|step| blocked >> step & 1 == 1).collect();
        // What was skipped before was within a decision's reach, and is not blocked any more.
        let every: Vec<StepIndex> = all.clone().flat_map(|step| branches.of(step).to_vec()).collect();
        let optional = branches.reach(&graph, &every);
        let before: BTreeSet<StepIndex> =
            all.filter(|step| before >> step & 1 == 1 && !blocked.contains(step) && optional.contains(step)).collect();
        let skipped = bypassed(&graph, &left_out, |step| blocked.contains(&step), |step| before.contains(&step));
        prop_assert_eq!(&skipped, &by_the_rule(&graph, &left_out, &blocked, &before));
        prop_assert!(skipped.is_subset(&branches.reach(&graph, &left_out)));
    }
}

#[test]
fn a_template_without_decisions_has_nothing() {
    let Case { branches, .. } = case(&[(vec![], vec![]), (vec![0], vec![])]);
    assert!(branches.is_empty() && branches.of(0).is_empty() && branches == Branches::default());
}

#[test]
fn branches_that_meet_are_skipped_in_linear_time() {
    let known = [1_000, 8_000].map(|count| {
        let mut steps = vec![(vec![], (1..=count).collect::<Vec<usize>>())];
        steps.extend((0..count).map(|_| (vec![0], vec![])));
        steps.push(((1..=count).collect(), vec![]));
        (count, case(&steps))
    });
    growth::at_most(24.0, [0, 1], |size| {
        let (count, Case { graph, branches }) = &known[size];
        let left_out: Vec<StepIndex> = branches.left_out(0, &[]).into_iter().collect();
        assert_eq!(branches.reach(graph, &left_out).len(), count + 1);
        assert_eq!(bypassed(graph, &left_out, |_| true, |_| false).len(), count + 1);
        let one: Vec<StepIndex> = branches.left_out(0, &[5]).into_iter().collect();
        let skipped = bypassed(graph, &one, |step| step != 5, |_| false);
        assert_eq!(skipped.len(), count - 1, "the join has one left");
    });
}

#[test]
fn a_route_names_branches() {
    let input = json!({ "name": "t", "steps": [{ "name": "check", "branches": ["approve", "reject"] },
        { "name": "approve", "depends_on": "check" }, { "name": "reject", "depends_on": "check" }] });
    let template = Template::build(serde_json::from_value::<TemplateInput>(input).unwrap()).unwrap();
    assert_eq!(template.branch(0, "reject").unwrap(), 2);
    assert!(template.branch(0, "aprove").unwrap_err().message.contains("did you mean \"approve\"?"));
    assert!(template.branch(1, "reject").unwrap_err().message.contains("\"approve\" has no branches"));
    assert!(template.check_route(0, &[1, 2]).is_ok() && template.check_route(1, &[]).is_ok());
    assert!(template.check_route(0, &[]).unwrap_err().message.contains("without choosing"));
    assert!(
        template.check_route(0, &[0]).is_err()
            && template.check_route(1, &[2]).is_err()
            && template.check_route(0, &[9]).is_err()
    );
}
