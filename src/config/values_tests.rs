//! Each text form: what it takes, and the fault it names otherwise.

use super::*;

#[test]
fn host_is_read_in_lower_case() {
    let cases = [
        ("media.example.com", "media.example.com"),
        ("MEDIA.Example.COM", "media.example.com"),
        ("localhost", "localhost"),
        ("my_host", "my_host"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("*", "*"),
    ];
    for (text, expected) in cases {
        assert_eq!(host(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn host_that_is_none_names_its_fault() {
    let long_label = "a".repeat(64);
    let long_name = "a.".repeat(127) + "com";
    let cases = [
        ("", Fault::NotAHost),
        ("media.example.com:80", Fault::HostWithPort),
        ("[::1]:80", Fault::HostWithPort),
        ("127.0.0.1:80", Fault::HostWithPort),
        ("bücher.example", Fault::HostNotAscii),
        ("::1", Fault::NotAHost),
        ("[::1", Fault::NotAHost),
        ("[::1]x", Fault::NotAHost),
        ("[127.0.0.1]", Fault::NotAHost),
        ("a..b", Fault::NotAHost),
        ("a.example.", Fault::NotAHost),
        ("-a.example", Fault::NotAHost),
        ("a-.example", Fault::NotAHost),
        ("a b", Fault::NotAHost),
        ("a/b", Fault::NotAHost),
        ("*.example.com", Fault::NotAHost),
        ("http://a.example", Fault::NotAHost),
        ("1.2.3.256", Fault::NotAHost),
        (&long_label, Fault::NotAHost),
        (&long_name, Fault::NotAHost),
    ];
    for (text, fault) in cases {
        assert_eq!(host(text), Err(fault), "{text}");
    }
}

#[test]
fn admin_address_is_tcp_or_unix_or_off() {
    let folder = Path::new("/etc/hotplate");
    let cases = [
        ("", AdminAddress::Off),
        (
            "127.0.0.1:9090",
            AdminAddress::Tcp("127.0.0.1:9090".parse().unwrap()),
        ),
        (
            "[::1]:9090",
            AdminAddress::Tcp("[::1]:9090".parse().unwrap()),
        ),
        ("unix:/run/a.sock", AdminAddress::Unix("/run/a.sock".into())),
        (
            "unix:a.sock",
            AdminAddress::Unix("/etc/hotplate/a.sock".into()),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(admin_address(text, folder), Ok(expected), "{text}");
    }
    let long = format!("unix:/{}", "a".repeat(SOCKET_PATH_BYTES_MAX));
    let faults = [
        ("9090", Fault::NotAnAddress),
        (":9090", Fault::NotAnAddress),
        ("localhost:9090", Fault::NotAnAddress),
        ("127.0.0.1", Fault::NotAnAddress),
        ("127.0.0.1:65536", Fault::NotAnAddress),
        ("unix:", Fault::EmptyPath),
        ("unix:/a\0b", Fault::NulInPath),
        (&long, Fault::SocketPathTooLong),
    ];
    for (text, fault) in faults {
        assert_eq!(admin_address(text, folder), Err(fault), "{text}");
    }
}

#[test]
fn access_log_is_a_word_or_a_path_in_a_folder_that_is_there() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let in_folder = folder.join("a.log");
    let missing = folder.join("missing");
    let cases = [
        ("", Ok(AccessLogTarget::Off)),
        ("stdout", Ok(AccessLogTarget::Stdout)),
        ("stderr", Ok(AccessLogTarget::Stderr)),
        ("./a.log", Ok(AccessLogTarget::File(in_folder.clone()))),
        (
            in_folder.to_str().unwrap(),
            Ok(AccessLogTarget::File(in_folder.clone())),
        ),
        ("stdot", Err(Fault::BareLogName)),
        ("access.log", Err(Fault::BareLogName)),
        ("./missing/a.log", Err(Fault::NoLogFolder(missing))),
        ("./", Err(Fault::LogIsAFolder)),
    ];
    for (text, expected) in cases {
        assert_eq!(access_log(text, folder), expected, "{text}");
    }
}

#[test]
fn token_is_long_enough_and_fits_an_authorization_field() {
    let cases = [
        ("", Ok(())),
        ("0123456789abcdef", Ok(())),
        ("abcDEF-._~+/01234==", Ok(())),
        ("short", Err(Fault::TokenSize)),
        ("0123456789 abcdef", Err(Fault::TokenOctet)),
        ("0123456789=abcdef", Err(Fault::TokenOctet)),
        ("0123456789\"abcdef", Err(Fault::TokenOctet)),
    ];
    for (text, expected) in cases {
        assert_eq!(token(text).map(drop), expected, "{text}");
    }
    assert_eq!(token(&"a".repeat(257)), Err(Fault::TokenSize));
}

#[test]
fn field_value_has_visible_ascii_only() {
    let cases = [
        ("", Ok(())),
        ("public, max-age=3600", Ok(())),
        ("a\tb", Ok(())),
        ("a\r\nX-Evil: b", Err(Fault::FieldValueOctet)),
        ("a\nb", Err(Fault::FieldValueOctet)),
        ("a\0b", Err(Fault::FieldValueOctet)),
        ("a\x7fb", Err(Fault::FieldValueOctet)),
        ("é", Err(Fault::FieldValueOctet)),
        (" a", Err(Fault::FieldValueEnds)),
        ("a ", Err(Fault::FieldValueEnds)),
    ];
    for (text, expected) in cases {
        assert_eq!(field_value(text).map(drop), expected, "{text:?}");
    }
    let long = "a".repeat(FIELD_VALUE_BYTES_MAX + 1);
    assert_eq!(field_value(&long), Err(Fault::FieldValueTooLong));
}

#[test]
fn content_type_is_a_media_type_with_parameters() {
    let cases = [
        ("", Ok(())),
        ("audio/wav", Ok(())),
        ("text/plain; charset=utf-8", Ok(())),
        ("application/vnd.apple.mpegurl", Ok(())),
        ("wav", Err(Fault::NotAMediaType)),
        ("audio/", Err(Fault::NotAMediaType)),
        ("/wav", Err(Fault::NotAMediaType)),
        ("audio/x/y", Err(Fault::NotAMediaType)),
        ("audio wav/x", Err(Fault::NotAMediaType)),
        ("a/b\r\nc", Err(Fault::FieldValueOctet)),
    ];
    for (text, expected) in cases {
        assert_eq!(content_type(text).map(drop), expected, "{text:?}");
    }
}

#[test]
fn root_is_a_folder_that_is_there() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    std::fs::write(folder.join("file"), b"x").unwrap();
    std::fs::create_dir(folder.join("www")).unwrap();
    assert_eq!(root("www", folder), Ok(folder.join("www")));
    assert_eq!(root("", folder), Err(Fault::EmptyPath));
    for name in ["file", "missing"] {
        let Err(Fault::NotAFolder { path, .. }) = root(name, folder) else {
            panic!("{name}");
        };
        assert_eq!(path, folder.join(name));
    }
}

#[test]
fn pin_path_is_absolute_and_its_globs_are_valid() {
    let folder = Path::new("/etc/hotplate");
    let cases = [
        ("a.wav", "/etc/hotplate/a.wav"),
        ("./media/", "/etc/hotplate/media/"),
        ("/srv/**/*.wav", "/srv/**/*.wav"),
        ("{a,b}.wav", "/etc/hotplate/{a,b}.wav"),
    ];
    for (text, expected) in cases {
        assert_eq!(
            pin_path(text, folder).map(|path| path.into_os_string().into_string().unwrap()),
            Ok(expected.to_owned()),
            "{text}"
        );
    }
    for text in ["/srv/[a", "/srv/{a", "a**b[", "{a/*"] {
        let fault = pin_path(text, folder);
        assert!(matches!(fault, Err(Fault::BadGlob(_))), "{text}: {fault:?}");
    }
}

#[test]
fn pin_path_of_an_existing_file_is_no_glob() {
    let temporary = tempfile::tempdir().unwrap();
    let odd = temporary.path().join("[x");
    std::fs::create_dir(&odd).unwrap();
    std::fs::write(odd.join("a*.wav"), b"RIFF").unwrap();
    assert_eq!(pin_path("a*.wav", &odd), Ok(odd.join("a*.wav")));
    assert!(!is_glob(&odd.join("a*.wav")));
    let below_odd = pin_path("*.wav", &odd);
    assert_eq!(below_odd, Err(Fault::GlobInFolder(odd)));
}

#[test]
fn type_pattern_is_a_type_or_a_kind() {
    for (text, read) in [
        ("Audio/*", "audio/*"),
        ("application/OGG", "application/ogg"),
    ] {
        assert_eq!(type_pattern(text).as_deref(), Ok(read));
    }
    for text in [
        "",
        "audio",
        "*",
        "*/*",
        "audio/",
        "audio/w*v",
        "audio/wav; a=b",
        "au dio/x",
    ] {
        assert_eq!(type_pattern(text), Err(Fault::NotAMediaType), "{text}");
    }
}

#[test]
fn extension_is_a_few_letters_and_digits() {
    for (text, read) in [("", Ok("")), (".WAV", Ok("wav")), ("mp3", Ok("mp3"))] {
        assert_eq!(extension(text).as_deref(), read.as_ref().copied());
    }
    for text in ["a/b", "toolongforit", "a.b", "\u{e4}"] {
        assert_eq!(extension(text), Err(Fault::NotAnExtension), "{text}");
    }
}

#[test]
fn group_is_known_by_name_and_number() {
    assert_eq!(group(""), Ok(None));
    assert_eq!(group("1234"), Ok(Some(1234)));
    assert_eq!(group("root"), Ok(Some(0)));
    assert_eq!(group("nobody knows it"), Err(Fault::NoSuchGroup));
}
