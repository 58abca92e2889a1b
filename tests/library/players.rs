//! Programs that know nothing of Hotplate open what it hands out.

use std::process::Command;

use crate::harness::origin::{Origin, reply};
use crate::shelf::{Shelf, got, path};

/// A second of silence: 8 kHz, 16 bits, one channel.
fn wave() -> Vec<u8> {
    let samples = [0_u8; 16_000];
    let mut bytes = b"RIFF".to_vec();
    bytes.extend_from_slice(&u32::to_le_bytes(36 + 16_000));
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16_u32.to_le_bytes());
    for half in [1_u16, 1] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    for word in [8000_u32, 16_000] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for half in [2_u16, 16] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&16_000_u32.to_le_bytes());
    bytes.extend_from_slice(&samples);
    bytes
}

/// What a program says, of these that `tests/install` installs; none where it could not.
fn run(program: &str, words: &[&str]) -> Option<String> {
    use std::io::Write as _;
    match Command::new(program).args(words).output() {
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(output.status.success(), "{program}: {said}");
            Some(said)
        }
        Err(_) => {
            let required = std::env::var_os("HOTPLATE_TEST_PARTS_REQUIRED");
            assert!(required.is_none_or(|required| required != "1"), "{program}");
            let line =
                format!("skipped without {program}, which tests/install could not install\n");
            // Past the test runner's capture, so that it is seen.
            std::io::stderr()
                .write_all(line.as_bytes())
                .expect("stderr");
            None
        }
    }
}

#[test]
fn sox_opens_the_path_and_knows_the_format_by_its_name() {
    let origin = Origin::start();
    let typed = reply(200).max_age(600).field("Content-Type", "Audio/X-WAV");
    origin.says("/prompt.php", typed.body(wave()));
    origin.says("/other.wav", reply(200).max_age(600).body(wave()));
    let server = Shelf::open().start();
    for name in ["/prompt.php?id=1.2", "/other.wav"] {
        let found = got(&server, &format!("{}{name}", origin.url()));
        let path = path(&found);
        let path = path.to_str().unwrap();
        if let Some(said) = run("soxi", &[path]) {
            assert!(said.contains("00:00:01.00"), "{said}");
        }
        if let Some(said) = run("sox", &[path, "-n", "stat"]) {
            assert!(
                said.contains("8000") || said.contains("Samples read"),
                "{said}"
            );
        }
    }
}
