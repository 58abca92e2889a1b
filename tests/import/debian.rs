//! Debian's own config of Apache: the files of the package apache2, taken from an installed one or from the archive.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::bench::Bench;

/// What the package turns on when it is installed.
const MODULES: [&str; 19] = [
    "mpm_event",
    "authz_core",
    "authz_host",
    "authn_core",
    "auth_basic",
    "access_compat",
    "authn_file",
    "authz_user",
    "alias",
    "dir",
    "autoindex",
    "env",
    "mime",
    "negotiation",
    "setenvif",
    "filter",
    "deflate",
    "status",
    "reqtimeout",
];
const PARTS: [&str; 5] = [
    "charset",
    "localized-error-pages",
    "other-vhosts-access-log",
    "security",
    "serve-cgi-bin",
];

/// The folder of the package's files as `tests/install` unpacks it; where it isn't there, says that the test is skipped.
fn package() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
    let parts = named("HOTPLATE_TEST_PARTS").or_else(|| Some(cache()?.join("hotplate-tests")));
    let unpacked = parts.unwrap_or_default().join("apache2/etc/apache2");
    if unpacked.join("apache2.conf").exists() {
        return Some(unpacked);
    }
    let required = named("HOTPLATE_TEST_PARTS_REQUIRED");
    assert!(
        required.is_none_or(|required| required != Path::new("1")),
        "apache2"
    );
    writeln!(
        std::io::stderr(),
        "skipped, Debian's apache2 is not unpacked: run tests/install"
    )
    .unwrap();
    None
}

/// A copy of the package's files with modules, parts and sites turned on.
fn enabled(package: &Path, modules: &[&str], sites: &[&str]) -> Bench {
    let bench = Bench::empty();
    copy(package, &bench.path("apache2"));
    let link = |kind: &str, name: &str| {
        let from = bench.path(format!("apache2/{kind}-available/{name}"));
        if from.exists() {
            symlink(from, bench.path(format!("apache2/{kind}-enabled/{name}"))).unwrap();
        }
    };
    for module in MODULES.iter().chain(modules) {
        link("mods", &format!("{module}.load"));
        link("mods", &format!("{module}.conf"));
    }
    for part in PARTS {
        link("conf", &format!("{part}.conf"));
    }
    for site in sites {
        link("sites", &format!("{site}.conf"));
    }
    bench
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn default_files_become_a_site_of_the_default_folder() {
    let Some(package) = package() else { return };
    let bench = enabled(&package, &[], &["000-default"]);
    let (page, _) = bench.checked(&["apache2/apache2.conf"]);
    for line in [
        "listen = [\"0.0.0.0:80\", \"[::]:80\"]",
        "root = \"/var/www/html\"",
        "hosts = []",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    assert!(page.contains("mods-enabled/mime.conf:"), "{page}");
    // The folder may be there or not on this machine; nothing else may stand against the site.
    let reasons = page
        .lines()
        .filter(|line| line.contains("left out: ") && !line.contains("/var/"));
    assert_eq!(reasons.count(), 0, "{page}");
}

#[test]
fn disk_cache_of_the_package_becomes_a_disk_store_beside_it() {
    let Some(package) = package() else { return };
    let bench = enabled(
        &package,
        &["cache", "cache_disk", "proxy", "proxy_http"],
        &["000-default"],
    );
    let text = fs::read_to_string(bench.path("apache2/sites-available/000-default.conf")).unwrap();
    let proxied = text.replace(
        "</VirtualHost>",
        "ProxyPass / http://127.0.0.1:8000/\nCacheEnable disk /\n</VirtualHost>",
    );
    bench.place("apache2/sites-available/000-default.conf", &proxied);
    // The package keeps /server-status to this machine, and the origin would be asked for it.
    let (page, said) = bench.checked(&["apache2/apache2.conf"]);
    assert_eq!(said, "ok: 0 pins, 0 sites", "{page}");
    assert!(
        page.contains("Require local, in <Location /server-status>"),
        "{page}"
    );
    let (page, said) = bench.checked(&["apache2/apache2.conf", "--open"]);
    assert_eq!(said, "ok: 0 pins, 1 site", "{page}");
    for line in [
        "origin = \"http://127.0.0.1:8000\"",
        "path = \"/var/cache/apache2/hotplate\"",
        "tiers = [\"disk\"]",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[test]
fn tls_site_and_scripts_of_the_package_are_comments() {
    let Some(package) = package() else { return };
    let bench = enabled(
        &package,
        &["ssl", "cgid", "socache_shmcb"],
        &["000-default", "default-ssl"],
    );
    let (page, _) = bench.checked(&["apache2/apache2.conf"]);
    assert!(page.contains("its clients speak TLS"), "{page}");
    assert!(page.contains("ports.conf:8: Listen 443"), "{page}");
    // Scripts outside of the root are not served at all, so they hold nothing up.
    assert!(!page.contains("with their source"), "{page}");
}
