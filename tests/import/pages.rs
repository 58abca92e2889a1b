//! The samples of the programs' own manuals, and one that has some of everything.

use super::bench::{Bench, compare};

#[test]
fn samples_of_apache_become_the_expected_pages() {
    let bench = Bench::new("apache");
    for (name, summary) in [
        ("memory", "ok: 0 pins, 0 sites"),
        ("directives", "ok: 0 pins, 1 site"),
        ("disk", "ok: 3 pins, 1 site"),
        ("hosts", "ok: 2 pins, 2 sites"),
    ] {
        let (page, said) = bench.checked(&[&format!("{name}.conf")]);
        compare(&format!("{name}.toml"), &page);
        assert_eq!(said, summary, "{name}");
    }
}

#[test]
fn samples_of_freeswitch_become_the_expected_pages() {
    let bench = Bench::new("freeswitch");
    let variable = format!("base_dir={}", bench.path("freeswitch").display());
    for name in ["vanilla", "wiki", "profiles"] {
        let (page, _) = bench.checked(&[&format!("{name}.xml"), "-D", &variable]);
        compare(&format!("{name}.toml"), &page);
    }
}

#[test]
fn page_for_freeswitch_says_what_its_user_needs() {
    let bench = Bench::new("freeswitch");
    let variable = format!("base_dir={}", bench.path("freeswitch").display());
    let (page, _) = bench.checked(&["vanilla.xml", "-D", &variable]);
    let tables: Vec<&str> = page.split("\n[").collect();
    let table = |name: &str| {
        let found = tables.iter().find(|table| table.starts_with(name));
        *found.unwrap_or_else(|| panic!("no [{name}: {page}"))
    };
    for (name, lines) in [
        (
            "library]",
            &["# group = \"freeswitch\"", "can't open a path"][..],
        ),
        (
            "upload]",
            &["# files = [", "# cache = true", "becomes the cached copy"],
        ),
    ] {
        for line in lines {
            assert!(table(name).contains(line), "{line}: {page}");
        }
    }
    // With the advice followed it is a config still.
    let group = page.replace("# group = \"freeswitch\"", "group = \"0\"");
    let whole = group
        .replace("# files = [", "files = [")
        .replace("# cache = true", "cache = true");
    assert!(bench.check(&whole).starts_with("ok: "));
}

#[test]
fn every_directive_has_a_word() {
    let bench = Bench::new("apache");
    for name in ["memory", "directives", "disk", "hosts"] {
        let file = format!("{name}.conf");
        let page = bench.import(&[&file]).text;
        let text = std::fs::read_to_string(bench.path(&file)).unwrap();
        let mut is_skipped = false;
        let mut is_continued = false;
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            let is_rest = std::mem::replace(&mut is_continued, line.ends_with('\\'));
            // What a condition leaves out has its word there.
            is_skipped |= line.contains("mod_disk_cache.c>");
            let is_section = line.starts_with("</")
                || ["<Location", "<Directory", "<Proxy"]
                    .iter()
                    .any(|start| line.starts_with(start));
            if !line.is_empty() && !line.starts_with('#') && !is_section && !is_skipped && !is_rest
            {
                let has = |end: char| page.contains(&format!("{file}:{number}{end}"));
                assert!(has(':') || has('-'), "{file}:{number}: {line}");
            }
            is_skipped &= line != "</IfModule>";
        }
    }
}

#[test]
fn variable_that_is_not_defined_is_named_with_its_remedy() {
    let bench = Bench::new("freeswitch");
    let (page, said) = bench.checked(&["vanilla.xml"]);
    assert!(page.contains("pass -D base_dir=VALUE"), "{page}");
    assert_eq!(said, "ok: 0 pins, 0 sites");
}

#[test]
fn kind_is_told_by_the_content_unless_it_is_said() {
    let bench = Bench::new("freeswitch");
    bench.place("httpd.conf", "CacheEnable disk /\n");
    bench.place("http_cache.conf.xml", "CacheEnable disk /\n");
    let page = bench.import(&["http_cache.conf.xml"]);
    assert!(page.text.contains("of Apache httpd"), "{}", page.text);
    let page = bench.import(&["http_cache.conf.xml", "--from", "freeswitch"]);
    assert_eq!(page.code, Some(2));
    assert!(
        page.said.contains("http_cache.conf.xml:1:1: not XML"),
        "{}",
        page.said
    );
    bench.place("unknown", "Frobnicate on\n");
    assert_eq!(bench.import(&["unknown"]).code, Some(2));
    assert_eq!(bench.import(&["unknown", "--from", "apache"]).code, Some(0));
}
