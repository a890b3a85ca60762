//! The shapes of workflows: what each promises, whatever its size.

use std::collections::HashMap;

use proptest::prelude::*;
use tasker_core::domain::graph::Graph;
use tasker_core::ffi::testing::patterns::{MOST_STEPS, Pattern, PatternInput, PatternStep, Steps};

const ALL: [Pattern; 5] = [Pattern::Linear, Pattern::Diamond, Pattern::Parallel, Pattern::Tree, Pattern::Dense];

fn least(pattern: Pattern) -> usize {
    match pattern {
        Pattern::Linear => 1,
        Pattern::Parallel | Pattern::Tree => 3,
        Pattern::Diamond | Pattern::Dense => 4,
    }
}

fn steps(pattern: Pattern, count: usize) -> Vec<PatternStep> {
    PatternInput { pattern, steps: Some(Steps::Count(count as i64)) }.steps().unwrap()
}

/// The graph that a template of these steps has: building it refuses cycles, unknown and double edges.
fn graph(steps: &[PatternStep]) -> Graph {
    let named: Vec<(&str, &[String])> =
        steps.iter().map(|step| (step.name.as_str(), step.depends_on.as_slice())).collect();
    Graph::build(&named).unwrap()
}

fn widths(steps: &[PatternStep]) -> Vec<usize> {
    let mut widths = vec![0; steps.iter().map(|step| step.layer + 1).max().unwrap()];
    for step in steps {
        widths[step.layer] += 1;
    }
    widths
}

proptest! {
    #[test]
    fn each_has_its_size_and_true_layers(pattern in prop::sample::select(&ALL), more in 0_usize..60) {
        let count = least(pattern) + more;
        let steps = steps(pattern, count);
        let graph = graph(&steps);
        prop_assert_eq!((steps.len(), graph.len()), (count, count));
        let layers: HashMap<&str, usize> = steps.iter().map(|step| (step.name.as_str(), step.layer)).collect();
        for step in &steps {
            // A step of the first layer is a root; every other has its parents in the layer before its own, so it can
            // be reached from a root.
            prop_assert_eq!(step.layer == 0, step.depends_on.is_empty());
            for parent in &step.depends_on {
                prop_assert_eq!(layers[parent.as_str()] + 1, step.layer);
            }
        }
        prop_assert!(widths(&steps).iter().all(|&width| width > 0));
    }

    #[test]
    fn each_has_its_own_shape(pattern in prop::sample::select(&ALL), more in 0_usize..60) {
        let count = least(pattern) + more;
        let steps = steps(pattern, count);
        let (graph, widths) = (graph(&steps), widths(&steps));
        let edges = graph.edges().count();
        match pattern {
            Pattern::Linear => prop_assert_eq!((widths, edges), (vec![1; count], count - 1)),
            Pattern::Diamond => prop_assert_eq!((widths, edges), (vec![1, count - 2, 1], 2 * (count - 2))),
            Pattern::Parallel => prop_assert_eq!((widths, edges), (vec![count - 1, 1], count - 1)),
            Pattern::Tree => {
                prop_assert_eq!((graph.roots().count(), edges), (1, count - 1));
                for step in 0..count as u32 {
                    prop_assert!(graph.parents(step).len() <= 1 && graph.children(step).len() <= 2);
                }
                let last = widths.len() - 1;
                prop_assert!(widths[..last].iter().enumerate().all(|(layer, &width)| width == 1 << layer));
            }
            Pattern::Dense => {
                prop_assert_eq!(edges, widths.windows(2).map(|pair| pair[0] * pair[1]).sum::<usize>());
                prop_assert!(widths.len() >= 2 && widths.len() <= widths[0]);
                prop_assert!(widths[..widths.len() - 1].iter().all(|&width| width == widths[0]));
            }
        }
    }
}

#[test]
fn names_are_the_steps_in_order() {
    let names = ["check", "pay", "pack", "ship"].map(String::from).to_vec();
    let steps = PatternInput { pattern: Pattern::Diamond, steps: Some(Steps::Names(names)) }.steps().unwrap();
    let found: Vec<(&str, usize, &[String])> =
        steps.iter().map(|step| (step.name.as_str(), step.layer, step.depends_on.as_slice())).collect();
    let (check, sides) = (["check".to_owned()], ["pay".to_owned(), "pack".to_owned()]);
    assert_eq!(found, [("check", 0, &[][..]), ("pay", 1, &check), ("pack", 1, &check), ("ship", 2, &sides)]);
}

#[test]
fn a_size_that_has_no_such_shape_is_refused() {
    for pattern in ALL {
        for count in [i64::MIN, -1, 0, least(pattern) as i64 - 1, MOST_STEPS as i64 + 1, i64::MAX] {
            let faults = PatternInput { pattern, steps: Some(Steps::Count(count)) }.steps().unwrap_err();
            let fault = &faults.all()[0];
            assert_eq!((fault.path.as_str(), fault.got.clone()), ("steps", Some(count.to_string())), "{pattern:?}");
        }
        assert_eq!(steps(pattern, MOST_STEPS).len(), MOST_STEPS);
        assert!(PatternInput { pattern, steps: None }.steps().unwrap().len() >= least(pattern));
    }
}
