//! Pictures of graphs: where boxes and rails stand, and that no name gets out of its place.

use proptest::prelude::*;
use tasker_core::domain::drawing::items::folded;
use tasker_core::domain::drawing::layout::Layout;
use tasker_core::domain::drawing::rails::{self, Charset};
use tasker_core::domain::drawing::{Node, Picture, markup, svg};
use tasker_core::domain::state::StepState;

use crate::growth;

fn picture(steps: &[(&str, &[&str])]) -> Picture {
    let node = |(name, needs): &(&str, &[&str])| Node {
        name: (*name).into(),
        depends_on: needs.iter().map(ToString::to_string).collect(),
        ..Node::default()
    };
    Picture::new("flow", steps.iter().map(node).collect()).unwrap()
}

fn diamond() -> Picture {
    picture(&[
        ("validate", &[]),
        ("reserve", &["validate"]),
        ("charge", &["validate"]),
        ("ship", &["reserve", "charge"]),
    ])
}

fn text(steps: &[(&str, &[&str])]) -> String {
    rails::text(&picture(steps), Charset::Unicode)
}

#[test]
fn a_diamond_parts_and_joins() {
    assert_eq!(
        rails::text(&diamond(), Charset::Unicode),
        "●    validate\n├─╮\n● │  reserve\n│ ●  charge\n├─╯\n●    ship\n"
    );
    assert_eq!(
        rails::text(&diamond(), Charset::Ascii),
        "*    validate\n+-.\n* |  reserve\n| *  charge\n+-'\n*    ship\n"
    );
}

#[test]
fn rails_cross_and_run_into_one_another() {
    // e needs a and c, whose rails stand on both sides of b's.
    assert_eq!(
        text(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"]), ("e", &["a", "d"])]),
        "●      a\n├─┬─╮\n● │ │  b\n│ ● │  c\n├─╯ │\n●   │  d\n╰───┤\n    ●  e\n"
    );
    assert_eq!(text(&[("a", &[]), ("b", &[])]), "●  a\n●  b\n");
    assert_eq!(text(&[]), "");
}

#[test]
fn a_step_defined_before_its_parent_stands_below_it() {
    assert_eq!(text(&[("late", &["early"]), ("early", &[])]), "●  early\n●  late\n");
}

#[test]
fn too_many_rails_are_left_out() {
    let names: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    let mut steps: Vec<(&str, &[&str])> = vec![("root", &[])];
    steps.extend(names.iter().map(|name| (name.as_str(), &["root"][..])));
    assert!(rails::rows(&picture(&steps), Charset::Unicode).is_none());
    assert!(text(&steps).starts_with("●  root\n●  s0 needs root\n"), "{}", text(&steps));
}

#[test]
fn states_are_said_in_words() {
    let node = |name: &str, state, note: Option<&str>| Node {
        name: name.into(),
        state: Some(state),
        note: note.map(Into::into),
        ..Node::default()
    };
    let nodes =
        vec![node("a", StepState::Complete, None), node("b", StepState::WaitingForRetry, Some("attempt 2 of 3"))];
    let picture = Picture::new("t", nodes).unwrap();
    assert_eq!(rails::text(&picture, Charset::Unicode), "✓  a (complete)\n↻  b (waiting for retry, attempt 2 of 3)\n");
    assert!(svg::svg(&picture).contains(">waiting for retry, attempt 2 of 3</text>"));
    let mermaid = markup::mermaid(&picture);
    assert!(mermaid.contains("s0[\"a<br/>complete\"]:::complete\n"), "{mermaid}");
    assert!(mermaid.contains("classDef waiting_for_retry fill:"), "{mermaid}");
    assert!(markup::dot(&picture).contains("s1 [label=\"b\\nwaiting for retry, attempt 2 of 3\""));
}

#[test]
fn a_layout_has_a_row_for_each_level() {
    let layout = Layout::of(&diamond());
    let rows: Vec<u32> = layout.frames.iter().map(|frame| frame.layer).collect();
    assert_eq!(rows, [0, 1, 1, 2]);
    let middle = |step: usize| layout.frames[step].corner.x + layout.frames[step].width / 2;
    assert_eq!(middle(0), middle(3), "a diamond is symmetrical");
    assert_eq!(middle(0), (middle(1) + middle(2)) / 2);
    assert_eq!(layout.lines.len(), 4);
    let line = &layout.lines[0];
    assert_eq!(line.points.first().unwrap().y, layout.frames[0].corner.y + layout.frames[0].height);
    assert_eq!(line.points.last().unwrap().y, layout.frames[1].corner.y);
}

#[test]
fn a_line_goes_around_the_boxes_of_the_rows_it_passes() {
    let layout = Layout::of(&picture(&[("a", &[]), ("b", &["a"]), ("c", &["b", "a"])]));
    let long = layout.lines.iter().find(|line| (line.from, line.to) == (0, 2)).unwrap();
    let (x, b) = (long.points[1].x, &layout.frames[1]);
    assert_eq!(long.points.len(), 3);
    assert!(x < b.corner.x || x > b.corner.x + b.width, "{layout:?}");
}

#[test]
fn crossings_that_need_not_be_are_none() {
    let layout = Layout::of(&picture(&[("a", &[]), ("b", &[]), ("c", &["b"]), ("d", &["a"])]));
    assert_eq!(
        layout.frames[0].corner.x < layout.frames[1].corner.x,
        layout.frames[3].corner.x < layout.frames[2].corner.x
    );
}

#[test]
fn names_stay_where_they_belong() {
    let hostile = "</text><script>alert('x')</script>\"&\n\\]; end\u{1}";
    let picture = Picture::new(hostile, vec![Node { name: hostile.into(), ..Node::default() }]).unwrap();
    let svg = svg::svg(&picture);
    assert!(!svg.contains("<script") && !svg.contains('\u{1}'), "{svg}");
    assert!(svg.contains("&lt;/text&gt;&lt;script&gt;"), "{svg}");
    let mermaid = markup::mermaid(&picture);
    assert_eq!(mermaid.lines().count(), 2, "{mermaid}");
    assert_eq!(mermaid.matches('"').count(), 2, "{mermaid}");
    let dot = markup::dot(&picture);
    assert_eq!(dot.lines().count(), 4, "{dot}");
    assert!(dot.contains(r#"alert('x')</script>\"&\n\\]; end "#), "{dot}");
    assert_eq!(rails::text(&picture, Charset::Unicode).lines().count(), 1);
}

#[test]
fn items_are_folded_into_their_list() {
    let node = |name: &str, needs: &[&str], state, list: Option<&str>| Node {
        name: name.into(),
        depends_on: needs.iter().map(ToString::to_string).collect(),
        state: Some(state),
        note: None,
        item_of: list.map(Into::into),
    };
    let nodes = vec![
        node("split", &[], StepState::Complete, None),
        node("parcel", &["split", "parcel[0]", "parcel[1]"], StepState::Pending, None),
        node("split[0]", &["parcel"], StepState::Pending, None),
        node("parcel[0]", &["split"], StepState::Complete, Some("parcel")),
        node("parcel[1]", &["split"], StepState::Error, Some("parcel")),
        node("end", &["split[0]", "parcel[0]", "parcel[1]"], StepState::Pending, None),
    ];
    let found = folded(nodes.clone()).unwrap();
    let names: Vec<&str> = found.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["split", "parcel", "split[0]", "end"]);
    assert_eq!(found[1].depends_on, ["split"]);
    assert_eq!(found[1].note.as_deref(), Some("1/2 items done, 1 in error"));
    assert_eq!(found[3].depends_on, ["split[0]", "parcel"]);
    let lost = folded(nodes.into_iter().filter(|node| node.name != "parcel").collect()).unwrap_err();
    assert_eq!(
        lost.all().iter().map(|fault| &*fault.path).collect::<Vec<_>>(),
        ["steps[2].item_of", "steps[3].item_of"]
    );
}

#[test]
fn what_can_not_be_drawn_is_refused() {
    let twice = vec![Node { name: "a".into(), ..Node::default() }, Node { name: "a".into(), ..Node::default() }];
    assert!(Picture::new("t", twice).unwrap_err().to_string().contains("already defined"));
}

#[test]
fn the_layout_of_a_wide_graph_is_found_in_about_linear_time() {
    growth::at_most(40.0, [200, 1_600], |size| {
        let names: Vec<String> = (0..size).map(|n| format!("step {n}")).collect();
        let nodes = names.iter().enumerate().map(|(n, name)| Node {
            name: name.clone(),
            depends_on: (n.saturating_sub(20)..n.saturating_sub(17)).map(|parent| names[parent].clone()).collect(),
            ..Node::default()
        });
        Layout::of(&Picture::new("t", nodes.collect()).unwrap());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn boxes_of_a_row_never_touch_and_lines_meet_their_boxes(
        needs in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..40)
    ) {
        let nodes: Vec<Node> = needs.iter().enumerate().map(|(step, parents)| {
            let mut parents: Vec<usize> = parents.iter().filter(|_| step > 0).map(|parent| parent.index(step)).collect();
            parents.sort_unstable();
            parents.dedup();
            Node { name: format!("s{step}"), depends_on: parents.iter().map(|parent| format!("s{parent}")).collect(), ..Node::default() }
        }).collect();
        let picture = Picture::new("t", nodes).unwrap();
        let layout = Layout::of(&picture);
        prop_assert_eq!(&layout, &Layout::of(&picture));
        for (one, frame) in layout.frames.iter().enumerate() {
            prop_assert!(frame.corner.x >= 0 && frame.corner.x + frame.width <= layout.width);
            prop_assert!(frame.corner.y >= 0 && frame.corner.y + frame.height <= layout.height);
            for other in &layout.frames[one + 1..] {
                let apart = frame.layer != other.layer
                    || frame.corner.x + frame.width < other.corner.x
                    || other.corner.x + other.width < frame.corner.x;
                prop_assert!(apart, "{:?} {:?}", frame, other);
            }
        }
        for line in &layout.lines {
            let (from, to) = (&layout.frames[line.from as usize], &layout.frames[line.to as usize]);
            let (first, last) = (line.points[0], line.points[line.points.len() - 1]);
            prop_assert!(first.x > from.corner.x && first.x < from.corner.x + from.width);
            prop_assert!(last.x > to.corner.x && last.x < to.corner.x + to.width);
            prop_assert_eq!(line.points.len() as u32, to.layer - from.layer + 1);
        }
        let order = rails::order(&picture);
        let place = |step: u32| order.iter().position(|&other| other == step);
        prop_assert!(picture.edges().iter().all(|&(parent, child)| place(parent) < place(child)));
        // Every step has one row, and every rail that runs into a step's rail was begun above.
        if let Some(rows) = rails::rows(&picture, Charset::Unicode) {
            let steps: Vec<u32> = rows.iter().filter_map(|row| row.step.map(|(step, _)| step)).collect();
            prop_assert_eq!(steps, order);
        }
    }
}
