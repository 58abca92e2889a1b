//! Tests of Apache's syntax, by example and by property.

use proptest::prelude::*;

use super::syntax::{Line, Lines, Statement, SyntaxFault, expand, words};

fn lines(text: &str) -> Vec<Line> {
    Lines::new(text.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap()
}

/// What the lines say: directives bare, sections in brackets.
fn said(text: &str) -> Vec<String> {
    let lines = lines(text);
    let one = |line: &Line| {
        let part = |range: std::ops::Range<usize>| line.text[range].to_owned();
        match line.statement().unwrap() {
            Statement::Directive { name, arguments } => {
                format!("{}|{}", part(name), part(arguments))
            }
            Statement::Open { name, arguments } => format!("<{}|{}>", part(name), part(arguments)),
            Statement::Close { name } => format!("</{}>", part(name)),
        }
    };
    lines.iter().map(one).collect()
}

#[test]
fn lines_are_joined_and_comments_left_out() {
    let text = "\u{feff}# a \\\nstill a comment\n\n  Listen 80 \r\nServerAlias a \\\n  b\\\nc\n#\n\x0b\n<IfModule mod_a.c>\n</IfModule>";
    assert_eq!(
        said(text),
        [
            "Listen|80",
            "ServerAlias|a   bc",
            "<IfModule|mod_a.c>",
            "</IfModule>"
        ]
    );
}

#[test]
fn position_is_that_of_the_physical_line() {
    let found = lines("\nServerAlias ä \\\n  b\\\nc");
    let line = &found[0];
    for (word, position) in [
        ("Server", (2, 1)),
        ("ä", (2, 13)),
        ("b", (3, 3)),
        ("c", (4, 1)),
    ] {
        let offset = line.text.find(word).unwrap();
        assert_eq!(line.position(offset), position, "{word}");
    }
}

#[test]
fn section_ends_with_its_last_bracket() {
    assert_eq!(said("<If \"%{A} > 3\"> x"), ["<If|\"%{A} > 3\">"]);
}

#[test]
fn line_that_says_nothing_names_its_fault() {
    let cases = [
        ("<Directory /", SyntaxFault::NoClosingBracket, 0),
        ("  }", SyntaxFault::NotADirective, 2),
        ("<>", SyntaxFault::NotADirective, 0),
        ("</ If>", SyntaxFault::NotADirective, 0),
        ("[server]", SyntaxFault::NotADirective, 0),
    ];
    for (text, fault, at) in cases {
        assert_eq!(lines(text)[0].statement(), Err((fault, at)), "{text}");
    }
    let latin = Lines::new(b"# caf\xe9\nServerName caf\xe9\n").next();
    assert_eq!(latin, Some(Err((SyntaxFault::NotUtf8, (2, 15)))));
    let long = format!("A {}", "\\\n".repeat(10) + &"x".repeat(1 << 16));
    let found = Lines::new(long.as_bytes()).next();
    assert_eq!(found, Some(Err((SyntaxFault::TooLong, (1, 1)))));
}

#[test]
fn words_are_quoted_as_in_apache() {
    let cases: [(&str, &[&str]); 8] = [
        ("a  b\tc", &["a", "b", "c"]),
        ("\"a b\" 'c \"d'", &["a b", "c \"d"]),
        ("\"a\"b", &["a", "b"]),
        (r#""a \" b" c\d e\\f"#, &["a \" b", r"c\d", r"e\f"]),
        ("\"not closed", &["not closed"]),
        ("\"\" x", &["", "x"]),
        ("c:/cacheroot", &["c:/cacheroot"]),
        ("", &[]),
    ];
    for (text, expected) in cases {
        let found: Vec<String> = words(text).into_iter().map(|(word, _)| word).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn variables_are_replaced_once() {
    let value = |name: &str| match name {
        "A" => Some("${B}"),
        "B" => Some("b"),
        _ => None,
    };
    let cases = [
        ("x ${B}/${B} y", "x b/b y", &[][..]),
        ("${A}", "${B}", &[]),
        ("${C} ${", "${C} ${", &["C"]),
        ("${}$B", "${}$B", &[]),
    ];
    for (text, expected, unknown) in cases {
        let found = expand(text, value).unwrap();
        assert_eq!(
            (found.text.as_str(), &found.unknown[..]),
            (
                expected,
                &unknown
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect::<Vec<_>>()[..]
            )
        );
    }
    let long = "x".repeat(1 << 15);
    assert_eq!(
        expand("${A}${A}${A}", |_| Some(&long)),
        Err(SyntaxFault::TooLong)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(prop_oneof![
        4 => prop::sample::select(b"\\\n\r \x0b<>/\"'#${}aZ".to_vec()), 1 => any::<u8>()], 0..200)) {
        let mut last = 0;
        for line in Lines::new(&bytes).flatten() {
            let (number, _) = line.position(0);
            prop_assert!(number > last, "lines go on");
            last = number;
            let arguments = match line.statement() {
                Ok(Statement::Directive { arguments, .. } | Statement::Open { arguments, .. }) => arguments,
                _ => continue,
            };
            let arguments = &line.text[arguments];
            let mut end = 0;
            for (_, place) in words(arguments) {
                prop_assert!(end <= place.start && place.start < place.end && place.end <= arguments.len());
                end = place.end;
            }
        }
    }
}
