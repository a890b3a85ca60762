//! A picture in the languages of other programs that draw.

use std::fmt::Write;

use super::layout::caption;
use super::{Node, Picture, colours};
use crate::domain::state::StepState;

/// For Mermaid, as Markdown on many sites shows it: a flowchart.
pub fn mermaid(picture: &Picture) -> String {
    let mut text = String::from("flowchart TD\n");
    // Writing to a String does not fail.
    for (index, node) in picture.nodes().iter().enumerate() {
        let class = node.state.map_or_else(String::new, |state| format!(":::{state}"));
        let _ = writeln!(text, "  s{index}[\"{}\"]{class}", mermaid_label(node));
    }
    for (parent, child) in picture.edges() {
        let _ = writeln!(text, "  s{parent} --> s{child}");
    }
    for &state in StepState::ALL {
        if picture.nodes().iter().any(|node| node.state == Some(state)) {
            let (fill, border) = colours(Some(state));
            let _ = writeln!(text, "  classDef {state} fill:{fill},stroke:{border},color:#1f2328");
        }
    }
    text
}

fn mermaid_label(node: &Node) -> String {
    let name = mermaid_text(&node.name);
    caption(node).map_or_else(|| name.clone(), |caption| format!("{name}<br/>{}", mermaid_text(&caption)))
}

/// Letters, digits and what has no meaning to Mermaid as they are, everything else by its number.
fn mermaid_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' | '.' | ',' | '-' | '_' | '/' => escaped.push(character),
            letter if letter.is_alphanumeric() => escaped.push(letter),
            control if control.is_control() => escaped.push(' '),
            other => {
                let _ = write!(escaped, "#{};", u32::from(other));
            }
        }
    }
    escaped
}

/// For Graphviz.
pub fn dot(picture: &Picture) -> String {
    let mut text = format!("digraph {} {{\n", quoted(picture.title()));
    text.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n");
    for (index, node) in picture.nodes().iter().enumerate() {
        let (fill, border) = colours(node.state);
        let label = caption(node).map_or_else(|| node.name.clone(), |caption| format!("{}\n{caption}", node.name));
        let label = quoted(&label);
        let _ = writeln!(text, "  s{index} [label={label}, fillcolor=\"{fill}\", color=\"{border}\"];");
    }
    for (parent, child) in picture.edges() {
        let _ = writeln!(text, "  s{parent} -> s{child};");
    }
    text.push_str("}\n");
    text
}

/// A string of DOT.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
