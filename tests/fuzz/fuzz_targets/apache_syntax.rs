//! Any bytes as an Apache config: lines go forward and end, places lie in the file, words lie in their order in what they are
//! taken from and lose nothing but quotes, escapes and spaces, and variables never make more than a line may have.
#![no_main]

use libfuzzer_sys::fuzz_target;

use syntax::{LINE_BYTES_MAX, Line, Lines, Statement, expand, words};

#[expect(
    dead_code,
    reason = "what reads the files knows the number of the line that it is at"
)]
#[path = "../../../src/config/import/apache/syntax.rs"]
mod syntax;

fuzz_target!(|bytes: &[u8]| {
    let line_count = bytes.split(|byte| *byte == b'\n').count();
    let mut last = (0, 0);
    for line in Lines::new(bytes) {
        let place = match &line {
            Ok(line) => line.position(0),
            Err((_, place)) => *place,
        };
        assert!(
            place > last && place.0 <= line_count,
            "{place:?} after {last:?}"
        );
        last = place;
        if let Ok(line) = line {
            check_line(&line, line_count);
        }
    }
});

fn check_line(line: &Line, line_count: usize) {
    assert!(line.text.len() <= LINE_BYTES_MAX);
    let mut last = (0, 0);
    for (offset, _) in line.text.char_indices() {
        let place = line.position(offset);
        assert!(
            place > last && place.0 <= line_count,
            "{place:?} after {last:?}"
        );
        last = place;
    }
    let arguments = match line.statement() {
        Ok(Statement::Directive { name, arguments } | Statement::Open { name, arguments }) => {
            assert!(!name.is_empty() && name.end <= arguments.start);
            &line.text[arguments]
        }
        Ok(Statement::Close { name }) => {
            assert!(!name.is_empty());
            return;
        }
        Err((_, offset)) => {
            assert!(offset <= line.text.len());
            return;
        }
    };
    check_words(arguments);
    check_variables(arguments);
}

fn check_words(arguments: &str) {
    let mut end = 0;
    for (word, place) in words(arguments) {
        assert!(
            arguments[end..place.start]
                .chars()
                .all(|c| c.is_ascii_whitespace() || c == '\x0b')
        );
        assert!(place.start < place.end);
        let written = &arguments[place.clone()];
        let kept = |text: &str| text.replace(['"', '\'', '\\'], "");
        assert_eq!(kept(&word), kept(written));
        end = place.end;
    }
    assert!(
        arguments[end..]
            .chars()
            .all(|c| c.is_ascii_whitespace() || c == '\x0b')
    );
}

fn check_variables(arguments: &str) {
    let none = expand(arguments, |_| None).expect("nothing is added");
    assert_eq!(none.text, arguments);
    assert!(none.unknown.len() <= arguments.matches("${").count());
    let empty = expand(arguments, |_| Some("")).expect("nothing is added");
    assert!(empty.text.len() <= arguments.len() && empty.unknown.is_empty());
    let long = "x".repeat(LINE_BYTES_MAX / 4);
    if let Ok(longer) = expand(arguments, |_| Some(&long)) {
        assert!(longer.text.len() <= LINE_BYTES_MAX);
    }
}
