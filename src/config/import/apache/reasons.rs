//! Why nothing stands for a directive, by its name; and how much of one a comment repeats.

use super::tree::Directive;

/// Names of directives, or the beginnings of them where they end with `*`, and why nothing stands for them.
const REASONS: [(&[&str], &str); 17] = [
    (
        &["cachedirlevels", "cachedirlength"],
        "how the disk store lays out its files is its own business.",
    ),
    (
        &["cachelock*"],
        "requests for the same thing always wait for one fetch (Cache-Status says collapsed); [fill] bounds the wait.",
    ),
    (
        &["cachequickhandler"],
        "there is one way through the cache. Nothing is sent from it that a request's Authorization forbids.",
    ),
    (
        &[
            "cacheminfilesize",
            "cachereadsize",
            "cachereadtime",
            "cachesocacheread*",
            "cachesocachemintime",
            "cachesocachemaxtime",
            "mcacheminobjectsize",
            "mcachemaxstreamingbuffer",
        ],
        "bodies of any size are streamed into the store while they are sent, and stale responses stay until room is needed.",
    ),
    (
        &["mcachemaxobjectcount", "mcacheremovalalgorithm"],
        "the store is bounded by bytes, everything counted, and keeps by S3-FIFO what is asked for again. (Apache's setter is \
         inverted: with LRU it uses GDSF, and the other way round.)",
    ),
    (
        &["cache*", "mcache*"],
        "a setting of the cache that has no counterpart here, or stands where Hotplate has no settings.",
    ),
    (
        &["loadmodule", "loadfile", "addmodule", "clearmodulelist"],
        "Hotplate has no modules.",
    ),
    (
        &[
            "user",
            "group",
            "pidfile",
            "mutex",
            "lockfile",
            "scoreboardfile",
            "defaultruntimedir",
            "coredumpdirectory",
            "serveradmin",
            "chrootdir",
            "startservers",
            "minspare*",
            "maxspare*",
            "maxrequest*",
            "maxclients",
            "maxconnectionsperchild",
            "maxmemfree",
            "thread*",
            "serverlimit",
            "asyncrequestworkerfactor",
            "graceful*",
            "listenbacklog",
            "extendedstatus",
            "seerequesttail",
            "enablesendfile",
            "enablemmap",
            "acceptmutex",
            "acceptfilter",
            "receivebuffersize",
            "sendbuffersize",
            "servertokens",
            "serversignature",
            "traceenable",
            "hostnamelookups",
            "identitycheck",
            "usecanonical*",
            "protocol*",
            "http2*",
            "h2*",
            "namevirtualhost",
            "rlimit*",
        ],
        "how the process runs. A service manager starts Hotplate (docs/operations.md), and server.workers says how many threads serve.",
    ),
    (
        &[
            "timeout",
            "keepalive*",
            "maxkeepaliverequests",
            "limit*",
            "requestreadtimeout",
            "maxranges",
            "maxrangeoverlaps",
            "maxrangereversals",
        ],
        "Hotplate has limits of its own: [limits].",
    ),
    (
        &[
            "errorlog*",
            "loglevel",
            "logformat",
            "customlog",
            "transferlog",
            "globallog",
            "forensiclog",
            "dumpio*",
            "scriptlog*",
            "logio*",
            "cookielog",
            "bufferedlogs",
        ],
        "one access log is for all sites: server.access_log. The rest goes to standard error.",
    ),
    (
        &["ssl*", "md*", "ocsp*"],
        "Hotplate speaks no TLS to clients: a terminating proxy before it does.",
    ),
    (
        &[
            "addtype",
            "addencoding",
            "addlanguage",
            "addcharset",
            "removetype",
            "removeencoding",
            "removelanguage",
            "removecharset",
            "typesconfig",
            "defaulttype",
            "forcetype",
            "defaultlanguage",
            "adddefaultcharset",
            "mimemagicfile",
            "languagepriority",
            "forcelanguagepriority",
            "modmimeusepathinfo",
            "multiviewsmatch",
        ],
        "types follow from names by a table that is built in; content_type of a [[pin]] sets one by hand.",
    ),
    (
        &[
            "directory*",
            "options",
            "index*",
            "addicon*",
            "addalt*",
            "adddescription",
            "defaulticon",
            "headername",
            "readmename",
            "errordocument",
            "accessfilename",
            "allowoverride*",
            "fileetag",
            "userdir",
            "contentdigest",
            "fallbackresource",
            "checkspelling",
        ],
        "of a folder its index.html is sent and nothing else, and .htaccess files are not read; names with a leading dot are never sent.",
    ),
    (
        &[
            "require", "order", "allow", "deny", "satisfy", "auth*", "authz*",
        ],
        "there is no access control here. What closes nothing that Hotplate would serve is listed here; what does is told at its site.",
    ),
    (
        &[
            "rewrite*",
            "redirect*",
            "alias*",
            "scriptalias*",
            "sethandler",
            "addhandler",
            "removehandler",
            "action",
            "script*",
            "setoutputfilter",
            "addoutputfilter*",
            "setinputfilter",
            "addinputfilter*",
            "filter*",
            "deflate*",
            "brotli*",
            "substitute",
            "ssi*",
            "setenv*",
            "unsetenv",
            "passenv",
            "browsermatch*",
            "php_*",
            "wsgi*",
            "passenger*",
            "header",
            "requestheader",
            "expires*",
            "modpagespeed*",
            "ext*",
        ],
        "requests and answers are not rewritten, and nothing is run. Precompressed siblings (about.txt.gz) are sent to those who accept them.",
    ),
    (
        &["proxy*", "balancer*", "noproxy", "remoteip*"],
        "a site's origin stands for ProxyPass and BalancerMember; other settings of the proxy have no counterpart.",
    ),
    (
        &["*"],
        "nothing to do with files, origins or caching, as far as the importer knows.",
    ),
];

/// Directives that are shown whole: none of their arguments is a secret.
const SHOWN: [&str; 34] = [
    "accessfilename",
    "addhandler",
    "addoutputfilter",
    "alias",
    "allow",
    "authname",
    "authtype",
    "balancermember",
    "deny",
    "directoryindex",
    "documentroot",
    "include",
    "includeoptional",
    "keepalive",
    "keepalivetimeout",
    "listen",
    "loadmodule",
    "options",
    "order",
    "proxypass",
    "proxypassmatch",
    "proxypassreverse",
    "proxypreservehost",
    "proxytimeout",
    "require",
    "scriptalias",
    "serveralias",
    "servername",
    "serverroot",
    "sethandler",
    "sslengine",
    "timeout",
    "usecanonicalname",
    "satisfy",
];

/// Why nothing stands for a directive.
pub(super) fn why(directive: &Directive) -> &'static str {
    let fits = |known: &&str| match known.strip_suffix('*') {
        Some(start) => directive.name.starts_with(start),
        None => directive.name == *known,
    };
    let found = REASONS.iter().find(|(names, _)| names.iter().any(fits));
    found.map_or("", |(_, why)| why)
}

/// Whether a directive is shown with its arguments. Those of others may be keys and passwords, for all that is known.
pub(super) fn is_shown(name: &str) -> bool {
    let starts = [
        "cache",
        "mcache",
        "mmapfile",
        "sslproxyverify",
        "sslproxycacertificatefile",
    ];
    SHOWN.contains(&name) || starts.iter().any(|start| name.starts_with(start))
}

/// A directive as a comment repeats it.
pub(super) fn shown(directive: &Directive) -> String {
    let name = directive
        .written
        .split_whitespace()
        .next()
        .unwrap_or_default();
    let is_cache_control = directive.name == "header"
        && directive
            .words
            .iter()
            .any(|word| word.eq_ignore_ascii_case("cache-control"));
    if !is_shown(&directive.name) && !is_cache_control {
        // Of a definition the name tells what it is; of the rest not even that is safe.
        return match directive.name.as_str() {
            "define" | "undefine" => format!("{name} {}", directive.word(0)),
            _ => name.to_owned(),
        };
    }
    let parts = directive.written.split_whitespace();
    parts.map(without_secrets).collect::<Vec<_>>().join(" ")
}

/// A word of a directive without the user of a URL and without a shared secret.
fn without_secrets(word: &str) -> String {
    if word.to_ascii_lowercase().contains("secret=") {
        return "secret=...".to_owned();
    }
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://...@{host}"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Place;
    use super::*;
    use crate::config::source::Position;

    fn directive(written: &str) -> Directive {
        let mut words = written.split(' ').map(str::to_owned);
        let at = Position { line: 1, column: 1 };
        Directive {
            name: words.next().unwrap().to_ascii_lowercase(),
            written: written.to_owned(),
            words: words.collect(),
            places: Vec::new(),
            place: Place { file: 0, at },
            section: None,
            host: 0,
            unknown: Vec::new(),
        }
    }

    #[test]
    fn comment_repeats_no_secret() {
        let cases = [
            ("ProxyPass / http://a/", "ProxyPass / http://a/"),
            ("ProxyPass / http://u:p@w@a/", "ProxyPass / http://...@a/"),
            (
                "BalancerMember ajp://a secret=hunter2",
                "BalancerMember ajp://a secret=...",
            ),
            ("AuthLDAPBindPassword hunter2", "AuthLDAPBindPassword"),
            ("RequestHeader set Authorization hunter2", "RequestHeader"),
            (
                "Header set Cache-Control no-store",
                "Header set Cache-Control no-store",
            ),
            ("Header set Set-Cookie hunter2", "Header"),
            ("Define PASSWORD hunter2", "Define PASSWORD"),
            ("CacheRoot /a", "CacheRoot /a"),
        ];
        for (written, expected) in cases {
            assert_eq!(shown(&directive(written)), expected);
        }
    }

    #[test]
    fn every_directive_has_a_reason_and_the_first_that_fits_counts() {
        let cases = [
            ("CacheLockMaxAge", "wait for one fetch"),
            ("CacheDirLevels", "lays out its files"),
            ("CacheTimeMargin", "no counterpart here"),
            ("DirectoryIndex", "index.html"),
            ("FrobnicateThis", "as far as the importer knows"),
        ];
        for (name, words) in cases {
            assert!(why(&directive(name)).contains(words), "{name}");
        }
    }
}
