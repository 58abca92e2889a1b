//! Properties of every import: no input makes it panic or go on for ever, the same input gives the same page, and a page is a
//! config that can be served.

use std::path::Path;

use proptest::prelude::*;

use super::{Kind, Options, import};

/// Lines that configs are made of: whole ones, parts, and what doesn't belong there.
const LINES: [&str; 60] = [
    "Listen 80",
    "Listen [::1]:8080",
    "Listen 443 https",
    "ServerName a.example",
    "ServerAlias b.example *.example a.example",
    "DocumentRoot /usr",
    "DocumentRoot /nonexistent",
    "DocumentRoot ${W}",
    "Define W /usr",
    "Define X ${X}${X}",
    "UnDefine W",
    "Alias /icons/ /usr/share",
    "ProxyPass / http://127.0.0.1:8000/",
    "ProxyPass / https://a.example/base/ timeout=5000 connectiontimeout=10ms max=0",
    "ProxyPass /app http://b.example/app",
    "ProxyPass /app balancer://a/app",
    "ProxyPass /local !",
    "ProxyPass / ajp://a/",
    "ProxyPass \"/a b\" http://a/",
    "ProxyPass http://a/",
    "ProxyPassMatch ^/(.*)$ http://c.example/$1",
    "ProxyPassMatch ^/.*\\.php$ fcgi://a/",
    "ProxyPreserveHost On",
    "BalancerMember http://d.example:8000",
    "BalancerMember balancer://a http://e.example",
    "<Proxy balancer://a>",
    "</Proxy>",
    "<VirtualHost *:80>",
    "<VirtualHost 10.0.0.1>",
    "<VirtualHost _default_:443>",
    "</VirtualHost>",
    "<Location /images>",
    "<Location />",
    "</Location>",
    "<Directory /usr/lib>",
    "</Directory>",
    "<IfModule mod_cache.c>",
    "<IfModule !mod_cache.c>",
    "</IfModule>",
    "LoadModule cache_module a/mod_cache.so",
    "CacheRoot /tmp/hotplate-no-such-cache",
    "CacheRoot /nonexistent/a/b",
    "CacheEnable disk /",
    "CacheEnable mem /images",
    "CacheEnable socache",
    "CacheDisable /images/live",
    "CacheDisable on",
    "CacheMaxExpire 60",
    "CacheDefaultExpire 99999999999",
    "CacheMinExpire 1",
    "CacheIgnoreHeaders Set-Cookie Vary X-A None",
    "CacheIgnoreURLSessionIdentifiers a b=c",
    "CacheIgnoreQueryString on",
    "CacheIgnoreNoLastMod on",
    "CacheLastModifiedFactor 7e300",
    "CacheFile /usr/bin/env /nonexistent/a[b",
    "MMapFile /usr/bin/env",
    "MCacheSize 64\\",
    "Header set Cache-Control \"max-age=1\"",
    "Require valid-user",
];

/// Elements that http_cache.conf.xml is made of, and what doesn't belong there.
const ELEMENTS: [&str; 22] = [
    "<settings>",
    "</settings>",
    "<param name=\"location\" value=\"/nonexistent/$${a}\"/>",
    "<param name=\"location\" value=\"/\"/>",
    "<param name=\"default-max-age\" value=\"99999999999\"/>",
    "<param name=\"ssl-cacert\" value=\"/nonexistent\"/>",
    "<param name=\"ssl-verifypeer\" value=\"false\"/>",
    "<param name=\"connect-timeout\" value=\"99999\"/>",
    "<param name=\"\u{202e}\" value=\"&#10;[server]&#10;\"/>",
    "<X-PRE-PROCESS cmd=\"set\" data=\"a=b\nc\"/>",
    "<profiles>",
    "</profiles>",
    "<profile name=\"a\">",
    "<profile name=\"\">",
    "</profile>",
    "<aws-s3>",
    "</aws-s3>",
    "<access-key-id>x</access-key-id>",
    "<azure-blob/>",
    "<default><header name=\"A\" value=\"b\"/></default>",
    "<domains><domain name=\"a b\"/><domain name=\"a.example\"/></domains>",
    "$${a",
];

/// Imports `text` twice; what comes of it must be the same, and a page must be a config. Tells whether there was one.
fn holds(folder: &Path, text: &[u8], from: Option<Kind>) -> Result<bool, TestCaseError> {
    let file = folder.join("a.conf");
    std::fs::write(&file, text).unwrap();
    let mut has_page = false;
    for opens in [false, true] {
        let options = Options {
            file: file.clone(),
            from,
            opens,
            with_secrets: opens,
            ..Options::default()
        };
        let imported = import(&options);
        prop_assert_eq!(&imported, &import(&options));
        if let Ok(imported) = imported {
            let parsed = crate::config::parse(&imported.text, &folder.join("hotplate.toml"));
            has_page = true;
            prop_assert!(parsed.is_ok(), "{:?}\n{}", parsed, imported.text);
        }
    }
    Ok(has_page)
}

proptest! {
    #[test]
    fn any_apache_config_is_refused_or_becomes_a_config(lines in prop::collection::vec(prop_oneof![
        20 => prop::sample::select(LINES.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,20}"], 0..30)) {
        let folder = tempfile::tempdir().unwrap();
        holds(folder.path(), lines.join("\n").as_bytes(), Some(Kind::Apache))?;
    }

    #[test]
    fn sections_that_close_become_a_config(parts in prop::collection::vec(
        (prop::sample::select(LINES.to_vec()), prop::option::of(0..5_usize)), 0..30)) {
        // Directives alone, each in a section of its own or none.
        const AROUND: [(&str, &str); 5] = [
            ("<VirtualHost *:80>", "</VirtualHost>"),
            ("<VirtualHost *:80>\nServerName c.example\n<Location /images>", "</Location>\n</VirtualHost>"),
            ("<Location />", "</Location>"),
            ("<Directory />", "</Directory>"),
            ("<IfModule mod_cache.c>", "</IfModule>"),
        ];
        let mut text = String::new();
        let refused = ["ProxyPass http://a/", "CacheEnable socache"];
        let fits = |line: &str| !line.starts_with('<') && !refused.contains(&line);
        for (line, around) in parts.iter().filter(|(line, _)| fits(line)) {
            let (open, close) = around.map_or(("", ""), |at| AROUND[at]);
            text.push_str(&format!("{open}\n{}\n{close}\n", line.trim_end_matches('\\')));
        }
        let folder = tempfile::tempdir().unwrap();
        let has_page = holds(folder.path(), text.as_bytes(), Some(Kind::Apache))?;
        prop_assert!(has_page, "{}", text);
    }

    #[test]
    fn any_xml_is_refused_or_becomes_a_config(elements in prop::collection::vec(prop::sample::select(ELEMENTS.to_vec()), 0..20)) {
        let folder = tempfile::tempdir().unwrap();
        let inner = elements.concat();
        let text = format!("<configuration name=\"http_cache.conf\">{inner}</configuration>");
        holds(folder.path(), text.as_bytes(), Some(Kind::FreeSwitch))?;
    }

    #[test]
    fn profiles_that_close_become_a_config(elements in prop::collection::vec(prop::sample::select(ELEMENTS.to_vec()), 0..20)) {
        let folder = tempfile::tempdir().unwrap();
        let whole = elements.iter().filter(|element| element.ends_with("/>") || element.contains("</d") || element.contains("</access"));
        let inner: String = whole.copied().collect();
        let text = format!("<configuration name=\"http_cache.conf\"><settings>{inner}</settings><profiles><profile name=\"a\">{inner}\
             <aws-s3>{inner}</aws-s3></profile><profile name=\"b\">{inner}</profile></profiles></configuration>");
        holds(folder.path(), text.as_bytes(), None)?;
    }

    #[test]
    fn any_bytes_are_refused_or_become_a_config(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        for from in [None, Some(Kind::Apache), Some(Kind::FreeSwitch)] {
            holds(folder.path(), &bytes, from)?;
        }
    }
}

#[test]
fn more_paths_than_rules_leave_those_without_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.conf");
    let text = |enabled: usize, disabled: usize| {
        let mut text = "ProxyPass / http://127.0.0.1:8000/\n".to_owned();
        for at in 0..enabled {
            text.push_str(&format!("CacheEnable mem /a{at}\n"));
        }
        for at in 0..disabled {
            text.push_str(&format!("CacheDisable /z{at}\n"));
        }
        text
    };
    let options = Options {
        file: file.clone(),
        ..Options::default()
    };
    std::fs::write(&file, text(300, 200)).unwrap();
    let page = import(&options).unwrap().text;
    assert_eq!(
        page.matches("[[site.rule]]").count(),
        256 - 200,
        "/ has no cache itself"
    );
    let page = crate::config::parse(&page, &file).unwrap();
    assert!(
        !page.sites[0]
            .rules
            .iter()
            .any(|rule| rule.path.starts_with(b"/z") && rule.cache)
    );
    std::fs::write(&file, text(0, 300)).unwrap();
    let error = import(&options).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "a.conf:301:1: more than 256 paths without a cache in one site: is this a config?"
        ),
        "{error}"
    );
}
