//! Tests of media types.

use super::{GUESSED_TEXT, content_type_of};
use crate::http::mime::extension_of;

fn check(table: &[(&str, &str)]) {
    for (path, wanted) in table {
        assert_eq!(content_type_of(path.as_bytes()), *wanted, "{path:?}");
    }
}

#[test]
fn media_has_its_type() {
    check(&[
        ("/prompts/welcome.wav", "audio/wav"),
        ("a.au", "audio/basic"),
        ("a.ulaw", "audio/basic"),
        ("a.pcma", "audio/x-alaw-basic"),
        ("a.gsm", "audio/x-gsm"),
        ("a.g722", "audio/G722"),
        ("a.g729", "audio/G729"),
        ("a.sln", "audio/x-sln"),
        ("a.sln16", "audio/x-sln"),
        ("a.sln192", "audio/x-sln"),
        ("a.amr", "audio/AMR"),
        ("a.awb", "audio/AMR-WB"),
        ("a.opus", "audio/ogg"),
        ("a.mp3", "audio/mpeg"),
        ("a.m4a", "audio/mp4"),
        ("a.flac", "audio/flac"),
        ("a.weba", "audio/webm"),
        ("live/index.m3u8", "application/vnd.apple.mpegurl"),
        ("live/index.mpd", "application/dash+xml"),
        ("live/00001.ts", "video/mp2t"),
        ("live/00001.m4s", "video/iso.segment"),
        ("a.cmfv", "video/mp4"),
        ("a.cmfa", "audio/mp4"),
        ("a.mkv", "video/x-matroska"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.srt", "application/x-subrip"),
        ("a.avif", "image/avif"),
        ("a.svg", "image/svg+xml"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.bin", "application/octet-stream"),
        ("a.webmanifest", "application/manifest+json"),
    ]);
}

#[test]
fn last_extension_of_the_last_segment_counts_in_any_case() {
    check(&[
        ("/a/B.WAV", "audio/wav"),
        ("a.wav.gz", "application/gzip"),
        ("a.txt.wav", "audio/wav"),
        ("dir.wav/plain", "application/octet-stream"),
        ("dir.wav/a.MP3", "audio/mpeg"),
        ("wav", "application/octet-stream"),
        (".wav", "application/octet-stream"),
        ("dir/.wav", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("/", "application/octet-stream"),
        ("a.no-such-extension-anywhere", "application/octet-stream"),
    ]);
    assert_eq!(content_type_of(b"a.\xff\xfe"), "application/octet-stream");
    assert_eq!(content_type_of(b"\xff\xfe.wav"), "audio/wav");
}

#[test]
fn rare_extension_is_guessed() {
    check(&[(
        "a.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    )]);
    check(&[
        ("a.RS", "text/x-rust; charset=utf-8"),
        ("a.ics", "text/calendar; charset=utf-8"),
    ]);
}

#[test]
fn every_text_type_says_utf_8() {
    let extensions = mime_guess::get_mime_extensions_str("text/*").unwrap();
    assert!(extensions.len() > 50);
    for extension in extensions {
        let found = content_type_of(format!("file.{extension}").as_bytes());
        assert_eq!(
            found.starts_with("text/"),
            found.ends_with("; charset=utf-8"),
            "{extension}: {found}"
        );
        if let Some(guess) = mime_guess::from_ext(extension)
            .first_raw()
            .filter(|guess| guess.starts_with("text/"))
        {
            let known = GUESSED_TEXT
                .iter()
                .any(|one| one.split(';').next() == Some(guess));
            assert!(known, "{guess} is in the table of guessed text");
        }
    }
}

#[test]
fn extension_is_that_of_the_path_where_it_is_known_else_that_of_the_type() {
    for (path, content_type, extension) in [
        ("/a/welcome.WAV", Some("audio/mpeg"), "wav"),
        ("/a/welcome.php", Some("audio/mpeg; charset=x"), "mp3"),
        ("/a/welcome", Some("Audio/X-WAV"), "wav"),
        ("/a.mp3/welcome", Some("video/mp4"), "mp4"),
        ("/.wav", None, ""),
        ("/x.unknown1", None, ""),
        ("/x", Some("application/octet-stream"), ""),
        ("/x", Some("image/webp"), "webp"),
        ("/x", Some("no type"), ""),
        ("", None, ""),
    ] {
        let found = extension_of(path.as_bytes(), content_type.map(str::as_bytes));
        assert_eq!(found, extension, "{path} {content_type:?}");
    }
}
