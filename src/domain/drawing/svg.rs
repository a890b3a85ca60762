//! A picture as an SVG document of its own. It needs no script and no style sheet, so that a page with a strict content
//! security policy may hold it too; states are said in words besides colours, so it can be printed.

use std::fmt::Write;

use super::layout::{Layout, Line, Point, caption};
use super::{Node, Picture, colours};

/// The text of the document.
pub fn svg(picture: &Picture) -> String {
    let layout = Layout::of(picture);
    let mut text = String::with_capacity(400 * (layout.frames.len() + layout.lines.len() + 1));
    // Writing to a String does not fail.
    let _ = write(picture, &layout, &mut text);
    text
}

fn write(picture: &Picture, layout: &Layout, out: &mut String) -> std::fmt::Result {
    let (width, height, title) = (layout.width, layout.height, escaped(picture.title()));
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="13">"#
    )?;
    writeln!(out, "<title>{title}</title>")?;
    writeln!(out, r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##)?;
    writeln!(out, r##"<g fill="none" stroke="#8c959f" stroke-width="1.5">"##)?;
    for line in &layout.lines {
        let from = escaped(&picture.nodes()[line.from as usize].name);
        let to = escaped(&picture.nodes()[line.to as usize].name);
        writeln!(out, r#"<path d="{}"><title>{from} → {to}</title></path>"#, path(line))?;
    }
    writeln!(out, "</g>")?;
    writeln!(out, r##"<g fill="#8c959f">"##)?;
    for line in &layout.lines {
        if let Some(Point { x, y }) = line.points.last() {
            writeln!(out, r#"<path d="M{x} {y}l-4 -8h8z"/>"#)?;
        }
    }
    writeln!(out, "</g>")?;
    for (node, frame) in picture.nodes().iter().zip(&layout.frames) {
        let (fill, border) = colours(node.state);
        let (x, y, w, h) = (frame.corner.x, frame.corner.y, frame.width, frame.height);
        let middle = x + w / 2;
        writeln!(out, r#"<g data-step="{}">{}"#, escaped(&node.name), tooltip(node))?;
        writeln!(
            out,
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{fill}" stroke="{border}" stroke-width="1.5"/>"#
        )?;
        let below = caption(node);
        let base = if below.is_some() { y + 20 } else { y + h / 2 + 5 };
        writeln!(
            out,
            r##"<text x="{middle}" y="{base}" text-anchor="middle" fill="#1f2328">{}</text>"##,
            escaped(&frame.label)
        )?;
        if let Some(below) = below {
            let base = y + 37;
            writeln!(
                out,
                r#"<text x="{middle}" y="{base}" text-anchor="middle" font-size="11" fill="{border}">{}</text>"#,
                escaped(&below)
            )?;
        }
        writeln!(out, "</g>")?;
    }
    writeln!(out, "</svg>")
}

/// A line that leaves and reaches its boxes, and passes rows, straight down.
fn path(line: &Line) -> String {
    let mut path = String::new();
    for (index, &Point { x, y }) in line.points.iter().enumerate() {
        let _ = match index.checked_sub(1).map(|before| line.points[before]) {
            None => write!(path, "M{x} {y}"),
            Some(before) => {
                let middle = (before.y + y) / 2;
                write!(path, "C{} {middle} {x} {middle} {x} {y}", before.x)
            }
        };
    }
    path
}

fn tooltip(node: &Node) -> String {
    let caption = caption(node).map(|caption| format!(": {caption}"));
    format!("<title>{}{}</title>", escaped(&node.name), escaped(&caption.unwrap_or_default()))
}

/// Text as it may stand in a document and in its attributes. What XML has no way to say is a replacement character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
