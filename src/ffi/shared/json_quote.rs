//! JSON strings, written fast: most texts have nothing to escape, which is found out sooner than they
//! are escaped.

/// Writes `text` as a JSON string at the end of `out`.
pub fn quote(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if has_special(text.as_bytes()) {
        escape(out, text.as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

/// Writes what RFC 8259 asks to be escaped as such, and the rest as it is.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            8 => out.extend(b"\\b"),
            12 => out.extend(b"\\f"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..b' ' => out.extend([b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
            byte => out.push(byte),
        }
    }
}

/// Whether a JSON string must escape something of this: a control character, a quotation mark or a backslash. Eight
/// bytes at a time: most texts are too short for the vectors that a compiler makes of a loop. The tests are
/// `hasless` and `hasvalue` of Sean Anderson's Bit Twiddling Hacks.
fn has_special(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let has_less = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let is_special = |word: u64| {
        let (quote, slash) = (word ^ (ONES * u64::from(b'"')), word ^ (ONES * u64::from(b'\\')));
        (has_less(word, b' ') | has_less(quote, 1) | has_less(slash, 1)) & (ONES << 7) != 0
    };
    let (words, _) = text.as_chunks();
    match text.last_chunk() {
        // The last eight may overlap with those before them.
        Some(last) => is_special(u64::from_ne_bytes(*last)) || words.iter().any(|w| is_special(u64::from_ne_bytes(*w))),
        None => text.iter().any(|&byte| byte < b' ' || byte == b'"' || byte == b'\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_must_be_escaped_wherever_it_stands() {
        for length in 0..20 {
            let plain: Vec<char> = (0..length).map(|n| ['a', ' ', '!', '#', '[', ']', '\u{7f}', 'ä'][n % 8]).collect();
            for at in 0..=length {
                for special in ('\0'..' ').chain(['"', '\\', '\u{2028}', '😀']) {
                    let mut text = plain.clone();
                    text.insert(at, special);
                    let text: String = text.into_iter().collect();
                    let mut out = b"[".to_vec();
                    quote(&mut out, &text);
                    assert_eq!(out[1..], *serde_json::to_vec(&text).expect("JSON"), "{text:?}");
                }
            }
        }
    }
}
