//! The extension of a path: of the URL's path, of the Content-Type, of the config, or of the request.

use serde_json::json;

use crate::harness::origin::{Origin, reply};
use crate::shelf::{Shelf, got, got_with, path};

#[test]
fn extension_is_of_the_url_where_it_is_a_media_one_else_of_the_type() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    for (target, content_type, extension) in [
        ("/1.wav", "audio/mpeg", "wav"),
        ("/2.WAV", "", "wav"),
        ("/3.wav?x=1.2", "", "wav"),
        ("/4.wav?u=/z", "", "wav"),
        ("/5.php", "audio/x-wav", "wav"),
        ("/6.php?f=a.wav", "Audio/MPEG; rate=8000", "mp3"),
        ("/7", "AUDIO/OGG", "ogg"),
        ("/8", "audio/basic", "au"),
        ("/9.d/", "audio/x-gsm", "gsm"),
        ("/10", "application/octet-stream", ""),
        ("/11", "", ""),
        ("/12.m3u8", "application/vnd.apple.mpegurl", "m3u8"),
        ("/13", "application/x-unheard-of", ""),
    ] {
        let said = match content_type {
            "" => reply(200),
            content_type => reply(200).field("Content-Type", content_type),
        };
        let plain = target.split('?').next().unwrap();
        origin.says(plain, said.max_age(600).body("x"));
        let found = got(&server, &format!("{}{target}", origin.url()));
        let file = path(&found);
        let found = file.extension().map(|text| text.to_str().unwrap());
        assert_eq!(
            found.unwrap_or_default(),
            extension,
            "{target} {content_type}"
        );
    }
}

#[test]
fn extension_can_be_given_and_has_a_default() {
    let origin = Origin::start();
    let server = Shelf::open().line("extension = \"ul\"").start();
    origin.says("/a", reply(200).max_age(600).body("x"));
    origin.says("/b.wav", reply(200).max_age(600).body("x"));
    let url = |name: &str| format!("{}{name}", origin.url());
    assert_eq!(path(&got(&server, &url("/a"))).extension().unwrap(), "ul");
    let found = got_with(&server, &url("/b.wav"), json!({"extension": ".MP3"}));
    assert_eq!(path(&found).file_name().unwrap(), "b.mp3");
    // Both names at a time, of the same stored bytes.
    assert_eq!(
        path(&got(&server, &url("/b.wav"))).file_name().unwrap(),
        "b.wav"
    );
    assert!(path(&found).exists());
    let body = json!({"url": url("/a"), "extension": "../x"});
    let answer = crate::shelf::post(&server, "get", &body);
    assert_eq!(
        crate::shelf::told(answer.expect(400))["code"],
        "invalid_option"
    );
}
