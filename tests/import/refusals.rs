//! What is refused: where it is wrong, why, and exit code 2.

use super::bench::Bench;

/// Imports `text` and expects what is said to start so, behind the program's name.
#[track_caller]
fn refused(bench: &Bench, name: &str, text: &str, expected: &str) {
    bench.place(name, text);
    let page = bench.import(&[name]);
    let shown: String = text.chars().take(500).collect();
    assert_eq!((page.code, page.text.as_str()), (Some(2), ""), "{shown}");
    let expected = format!("hotplate: {expected}");
    assert!(page.said.starts_with(&expected), "{shown}\n{}", page.said);
}

#[test]
fn apache_config_that_apache_refuses_is_refused_with_its_place() {
    let bench = Bench::empty();
    let deep = "<Location /a>\n".repeat(65);
    for (text, expected) in [
        (
            "Listen 80\n<Directory /\n",
            "a.conf:2:1: a section's line ends with \">\"",
        ),
        (
            "Listen 80\n<Directory />\n</Location>\n",
            "a.conf:3:3: </Location> where <Directory> of line 2 is open",
        ),
        (
            "Listen 80\n</Location>\n",
            "a.conf:2:3: </Location> without <Location> in this file",
        ),
        (
            "Listen 80\n<Directory />\n",
            "a.conf:2:1: <Directory> is not closed in this file",
        ),
        (
            "Listen 80\n<IfModule !core.c>\n",
            "a.conf:2:2: <IfModule> is not closed in this file",
        ),
        (
            "Listen 80\n  *\n",
            "a.conf:2:3: a directive starts with a letter",
        ),
        (
            "Listen http\n",
            "a.conf:1:8: Listen must be followed by a port",
        ),
        (
            "Listen 80\nCacheMaxExpire 1h\n",
            "a.conf:2:16: CacheMaxExpire must be followed by a whole number",
        ),
        (
            "CacheStorePrivate \\\n  maybe\n",
            "a.conf:2:3: CacheStorePrivate must be followed by On or Off",
        ),
        (
            "CacheLastModifiedFactor x\nCacheEnable disk /\nProxyPass / http://a/\n",
            "a.conf:1:25: CacheLastModifiedFactor must be followed by a number",
        ),
        (
            "CacheEnable disk\n",
            "a.conf:1:1: CacheEnable must be followed by a type and a URL path",
        ),
        (
            "ProxyPass /\n",
            "a.conf:1:1: ProxyPass must be followed by a path and a URL",
        ),
        (
            "MCacheSize 1\n",
            "a.conf:1:1: MCacheMaxObjectSize must be less than MCacheSize",
        ),
        (
            "Listen 80\n  Include b/*.conf\n",
            "a.conf:2:3: nothing to include",
        ),
        (
            "Listen 80\nInclude a.conf\n",
            "a.conf:2:1: includes itself: a.conf -> a.conf",
        ),
        (
            &deep,
            "a.conf:65:2: more than 64 sections within each other",
        ),
    ] {
        refused(&bench, "a.conf", text, expected);
    }
}

#[test]
fn include_in_a_circle_over_several_files_and_links_is_refused() {
    let bench = Bench::empty();
    bench.place("b.conf", "Include d.conf\n");
    std::os::unix::fs::symlink(bench.path("a.conf"), bench.path("d.conf")).unwrap();
    refused(
        &bench,
        "a.conf",
        "Listen 80\nInclude b.conf\n",
        &format!(
            "{}:1:1: includes itself: a.conf -> b.conf -> d.conf",
            bench.path("b.conf").display()
        ),
    );
}

#[test]
fn variables_that_grow_are_bounded() {
    let bench = Bench::empty();
    let mut text = "Define A0 xxxxxxxxxxxxxxxx\n".to_owned();
    for at in 0..40 {
        text.push_str(&format!("Define A{} ${{A{at}}}${{A{at}}}\n", at + 1));
    }
    refused(
        &bench,
        "a.conf",
        &text,
        "a.conf:13:1: more than 65536 bytes in a line",
    );
}

#[test]
fn xml_that_is_none_of_freeswitch_is_refused_with_its_place() {
    let bench = Bench::empty();
    let config = |inside: &str| {
        format!("<configuration name=\"http_cache.conf\">\n{inside}\n</configuration>")
    };
    let parameter = |name: &str, value: &str| {
        config(&format!(
            "<settings>\n<param name=\"{name}\" value=\"{value}\"/></settings>"
        ))
    };
    let deep = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    for (text, expected) in [
        (
            config("<a>"),
            "a.xml:3:1: not XML: expected 'a' tag, not 'configuration'",
        ),
        (
            config("<a>hunter2&hunter2;</a>"),
            "a.xml:2:11: not XML: an & that starts no entity",
        ),
        (
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(),
            "a.xml:1:1: not XML: XML with DTD detected",
        ),
        (
            config(&deep),
            "a.xml:2:193: more than 64 elements within each other",
        ),
        (
            "<configuration name=\"vars.conf\"/>".to_owned(),
            "a.xml: there is no <configuration name=\"http_cache.conf\">",
        ),
        (
            parameter("max-urls", "0"),
            "a.xml:3:1: max-urls must be a number above 0",
        ),
        (
            parameter("location", ""),
            "a.xml:3:1: location must be a folder",
        ),
    ] {
        refused(&bench, "a.xml", &text, expected);
        assert!(!bench.import(&["a.xml"]).said.contains("hunter2"));
    }
}

#[test]
fn what_is_no_config_is_refused() {
    let bench = Bench::empty();
    for text in [
        "",
        "server {\n  listen 80;\n}\n",
        "[server]\nlisten = []\n",
        "{\"a\": 1}",
        "Listen 80\u{0}",
    ] {
        refused(
            &bench,
            "a",
            text,
            "a: neither a config of Apache httpd nor FreeSWITCH's",
        );
    }
    let pipe = rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    );
    pipe.unwrap();
    for (name, said) in [
        ("none", "can't be read"),
        (".", "not a file"),
        ("pipe", "not a file"),
    ] {
        let page = bench.import(&[name]);
        assert_eq!(page.code, Some(2), "{name}");
        assert!(page.said.contains(said), "{name}: {}", page.said);
    }
}
