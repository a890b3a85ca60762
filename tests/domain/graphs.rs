//! Graphs that are refused, and large ones.

use tasker_core::domain::fault::Fault;
use tasker_core::domain::graph::Graph;

use crate::growth;

fn build(steps: &[(&str, &[&str])]) -> Result<Graph, Vec<Fault>> {
    let owned: Vec<(&str, Vec<String>)> =
        steps.iter().map(|(name, needs)| (*name, needs.iter().map(ToString::to_string).collect())).collect();
    Graph::build(&owned.iter().map(|(name, needs)| (*name, needs.as_slice())).collect::<Vec<_>>())
}

fn faults(steps: &[(&str, &[&str])]) -> Vec<String> {
    build(steps).unwrap_err().iter().map(Fault::to_string).collect()
}

#[test]
fn a_diamond_is_known_from_both_sides() {
    let graph = build(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["c", "b"])]).unwrap();
    assert_eq!((graph.len(), graph.roots().collect::<Vec<_>>()), (4, vec![0]));
    assert_eq!((graph.parents(3), graph.children(0)), (&[2, 1][..], &[1, 2][..]));
    assert_eq!(graph.edges().collect::<Vec<_>>(), [(0, 1), (0, 2), (1, 3), (2, 3)]);
    assert!(graph.parents(99).is_empty() && graph.children(99).is_empty());
}

#[test]
fn each_fault_has_its_path() {
    assert_eq!(
        faults(&[("a", &[]), ("a", &[])]),
        ["steps[1].name: the step \"a\" is already defined at steps[0]; names are unique in a template"]
    );
    assert_eq!(faults(&[("a", &["a"])]), ["steps[0].depends_on: the step \"a\" depends on itself"]);
    assert_eq!(faults(&[("a", &[]), ("b", &["a", "a"])]), ["steps[1].depends_on: \"a\" is named twice"]);
    assert_eq!(
        faults(&[("validate", &[]), ("ship", &["validat"])]),
        ["steps[1].depends_on: there is no step \"validat\" (did you mean \"validate\"?)"]
    );
    assert_eq!(faults(&[("a", &["q"]), ("b", &["b", "x"])]).len(), 3, "all of them at once");
}

#[test]
fn a_cycle_is_listed_in_the_order_of_its_edges() {
    let found = faults(&[("r", &[]), ("a", &["r", "c"]), ("b", &["a"]), ("c", &["b"]), ("z", &["c"])]);
    assert_eq!(found.len(), 1);
    let cycle = found[0].strip_prefix("steps: the steps form a cycle: ").unwrap();
    assert!(["a → b → c → a", "b → c → a → b", "c → a → b → c"].contains(&cycle), "{cycle}");
}

#[test]
fn a_chain_and_a_ring_are_built_in_linear_time() {
    let names: Vec<String> = (0..8_000).map(|n| format!("step {n}")).collect();
    // Quadratic would be 64 times as long.
    growth::at_most(24.0, [1_000, 8_000], |size| {
        let chain: Vec<(&str, &[String])> =
            (0..size).map(|n| (names[n].as_str(), if n == 0 { &[][..] } else { &names[n - 1..n] })).collect();
        assert_eq!(Graph::build(&chain).unwrap().edges().count(), size - 1);
        let ring: Vec<(&str, &[String])> = (0..size)
            .map(|n| {
                let next = (n + 1) % size;
                (names[n].as_str(), &names[next..=next])
            })
            .collect();
        assert_eq!(Graph::build(&ring).unwrap_err().len(), 1);
    });
}

#[test]
fn a_dense_graph_is_built_in_time_linear_in_its_edges() {
    let names: Vec<String> = (0..800).map(|n| format!("s{n}")).collect();
    // It has 16 times the edges; looking through the parents for each would be 64 times as long.
    growth::at_most(32.0, [200, 800], |size| {
        let steps: Vec<(&str, &[String])> = (0..size).map(|n| (names[n].as_str(), &names[..n])).collect();
        let graph = Graph::build(&steps).unwrap();
        let last = size as u32 - 1;
        assert_eq!((graph.parents(last).len(), graph.children(0).len()), (size - 1, size - 1));
    });
}
