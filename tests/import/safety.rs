//! What a page never does: open what was closed, show a secret, stop a config from being served.

use super::bench::Bench;

/// The page of an Apache config of one site with files, with `more` in it.
fn page(more: &str) -> (Bench, String, String) {
    let bench = Bench::new("apache");
    bench.place(
        "httpd.conf",
        &format!("DocumentRoot {}\n{more}\n", bench.path("htdocs").display())
            .replace("@ROOT@", &bench.path("").display().to_string()),
    );
    let (page, said) = bench.checked(&["httpd.conf"]);
    (bench, page, said)
}

#[test]
fn site_with_access_control_is_a_comment_until_it_is_opened() {
    for closing in [
        "<Directory @ROOT@/htdocs>\nRequire ip 10.0.0.0/8\n</Directory>",
        "<Directory />\nRequire all denied\n</Directory>",
        "<Directory @ROOT@/htdocs/private>\nDeny from all\n</Directory>",
        "<Directory @ROOT@/htdocs>\nOrder allow,deny\nAllow from 10.0.0.0/8\n</Directory>",
        "<Directory @ROOT@/htdocs>\nOrder allow,deny\nDeny from 192.0.2.1\nAllow from all\n</Directory>",
        "<Directory @ROOT@/htdocs>\nOrder allow,deny\n</Directory>",
        "<Location /private>\n<RequireAll>\nRequire all granted\nRequire not ip 192.0.2.1\n</RequireAll>\n</Location>",
        "<VirtualHost *:80>\nServerName a.example\n<Directory @ROOT@/htdocs>\nRequire all denied\n</Directory>\n</VirtualHost>\n\
         <Directory @ROOT@/htdocs>\nRequire all granted\n</Directory>",
        "RewriteRule ^/(.*) http://127.0.0.1:8000/$1 [P,L]",
        "Redirect permanent / https://a.example/",
        "RedirectMatch ^/(.*)$ https://a.example/$1",
        "RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} [END,NE,R=permanent]",
        "<Location /private>\nAuthType Basic\nRequire valid-user\n</Location>",
        "<Location /private>\n<RequireAny>\nRequire user a\nRequire user b\n</RequireAny>\n</Location>",
        "<FilesMatch \"\\.inc$\">\nRequire all denied\n</FilesMatch>",
        "RewriteRule ^/private - [F,L]",
        "RedirectMatch 404 ^/private",
        "AddHandler application/x-httpd-php .php",
        "<FilesMatch \"\\.php$\">\nSetHandler \"proxy:unix:/run/php.sock|fcgi://localhost\"\n</FilesMatch>",
        "<Directory @ROOT@/htdocs/bin>\nSetHandler cgi-script\n</Directory>",
        "AddOutputFilter INCLUDES .shtml",
        "LoadModule php7_module modules/libphp7.so",
        "ProxyPassMatch ^/(.*\\.php)$ fcgi://127.0.0.1:9000/srv/$1",
        "ScriptAlias /cgi-bin @ROOT@/htdocs/cgi-bin",
        "<Directory @ROOT@>\nOptions +ExecCGI\n</Directory>",
    ] {
        let (bench, page, said) = page(closing);
        assert_eq!(said, "ok: 0 pins, 0 sites", "{closing}\n{page}");
        assert!(
            page.contains("# # left out: httpd.conf:"),
            "{closing}\n{page}"
        );
        let (page, said) = bench.checked(&["httpd.conf", "--open"]);
        assert_eq!(said, "ok: 0 pins, 1 site", "{closing}\n{page}");
        assert!(page.contains("open now, by --open"), "{closing}\n{page}");
    }
}

#[test]
fn access_control_that_closes_nothing_served_is_none() {
    for harmless in [
        "<Directory />\nRequire all denied\n</Directory>\n<Directory @ROOT@/htdocs>\nRequire all granted\n</Directory>",
        "<Directory />\nOrder deny,allow\nDeny from all\n</Directory>\n<Directory @ROOT@/htdocs>\nOrder allow,deny\nAllow from all\n</Directory>",
        "<Directory @ROOT@/htdocs>\nRequire all granted\nRequire ip 192.0.2.1\n</Directory>",
        "<VirtualHost *:80>\nServerName a.example\n<Directory @ROOT@/htdocs>\nRequire all granted\n</Directory>\n</VirtualHost>\n\
         <Directory @ROOT@/htdocs>\nRequire all denied\n</Directory>",
        "<Directory /elsewhere>\nRequire all denied\n</Directory>",
        "<Directory @ROOT@/htdocs/.git>\nRequire all denied\n</Directory>",
        "<FilesMatch \"^\\.ht\">\nRequire all denied\n</FilesMatch>",
        "<Files \".ht*\">\nDeny from all\n</Files>",
        "<Location /server-status>\nSetHandler server-status\nRequire local\n</Location>",
        "RedirectMatch 404 /\\.git",
        "Redirect /old https://a.example/new",
        "AddHandler type-map var",
        "Order allow,deny\nAllow from all",
    ] {
        let (_, page, said) = page(harmless);
        assert_eq!(said, "ok: 0 pins, 1 site", "{harmless}\n{page}");
    }
}

#[test]
fn host_that_is_sent_to_tls_is_that_of_the_tls_site_when_opened() {
    let bench = Bench::new("apache");
    let root = bench.path("htdocs").display().to_string();
    bench.place(
        "httpd.conf",
        &format!(
            "Listen 80\nListen 443\n<VirtualHost *:80>\nServerName a.example\nRedirect permanent / https://a.example/\n</VirtualHost>\n\
             <VirtualHost *:443>\nServerName a.example\nSSLEngine on\nDocumentRoot {root}\n</VirtualHost>\n"
        ),
    );
    let (page, said) = bench.checked(&["httpd.conf"]);
    assert_eq!(said, "ok: 0 pins, 0 sites", "{page}");
    let (page, said) = bench.checked(&["httpd.conf", "--open"]);
    assert_eq!(said, "ok: 0 pins, 1 site", "{page}");
    assert!(page.contains("\nhosts = [\"a.example\"]\n"), "{page}");
}

#[test]
fn root_of_each_host_is_no_root_of_all() {
    let (_, page, said) = page("VirtualDocumentRoot /srv/%0");
    assert_eq!(said, "ok: 0 pins, 0 sites", "{page}");
    assert!(page.contains("a folder for each host"), "{page}");
}

#[test]
fn location_of_a_handler_is_closed_where_an_origin_would_answer() {
    let status = "<Location /server-status>\nSetHandler server-status\nRequire local\n</Location>";
    let (_, page, said) = page(&format!("ProxyPass / http://127.0.0.1:8000/\n{status}"));
    assert_eq!(said, "ok: 0 pins, 0 sites", "{page}");
}

#[test]
fn files_of_access_control_below_the_root_are_heeded_where_apache_reads_them() {
    let bench = Bench::new("apache");
    bench.place("htdocs/private/.htaccess", "Require valid-user\n");
    let root = bench.path("htdocs").display().to_string();
    for (allowed, summary) in [
        ("None", "ok: 0 pins, 1 site"),
        ("All", "ok: 0 pins, 0 sites"),
    ] {
        bench.place(
            "httpd.conf",
            &format!(
                "DocumentRoot {root}\n<Directory {root}>\nAllowOverride {allowed}\n</Directory>\n"
            ),
        );
        let (page, said) = bench.checked(&["httpd.conf"]);
        assert_eq!(said, summary, "{page}");
    }
}

#[test]
fn secrets_are_in_no_comment_and_only_printed_when_asked_for() {
    let secrets = [
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI",
        "c2VjcmV0IG9mIHRo",
        "aHVudGVyMg",
    ];
    let bench = Bench::new("freeswitch");
    for name in ["wiki.xml", "profiles.xml"] {
        let (page, _) = bench.checked(&[name]);
        for secret in secrets {
            assert!(!page.contains(secret), "{secret}\n{page}");
        }
        assert!(
            page.contains("AWS_SECRET_ACCESS_KEY") && page.contains("AZURE_STORAGE_ACCESS_KEY"),
            "{page}"
        );
        let (page, _) = bench.checked(&[name, "--with-secrets"]);
        let comments = page.lines().filter(|line| line.starts_with('#'));
        for comment in comments {
            assert!(
                !secrets.iter().any(|secret| comment.contains(secret)),
                "{comment}"
            );
        }
    }
    let bench = Bench::new("apache");
    let (page, _) = bench.checked(&["hosts.conf"]);
    assert!(!page.contains("hunter2"), "{page}");
    let (page, _) = bench.checked(&["hosts.conf", "--open"]);
    assert!(!page.contains("hunter2"), "{page}");
}

#[test]
fn missing_files_and_folders_are_told_and_leave_a_page_that_passes() {
    let bench = Bench::empty();
    let text = "Listen 127.0.0.1:8081\nCacheRoot /nonexistent/a/cache\nProxyPass / https://127.0.0.1:8000/\nSSLProxyVerify require\n\
         SSLProxyCACertificateFile /nonexistent/ca.pem\nCacheEnable disk /\n";
    bench.place("httpd.conf", text);
    let (page, said) = bench.checked(&["httpd.conf"]);
    assert_eq!(said, "ok: 0 pins, 1 site", "{page}");
    for words in [
        "\"/nonexistent/a\" isn't there; make it first",
        "\n# [disk]\n",
        "\n# tiers = [\"disk\"]",
        "\n# ca_file = \"/nonexistent/ca.pem\"",
        "verify_peer = true",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    bench.place(
        "httpd.conf",
        "DocumentRoot /nonexistent/www\nCacheFile /nonexistent/www/a.wav\n",
    );
    let (page, said) = bench.checked(&["httpd.conf"]);
    assert_eq!(said, "ok: 1 pin, 0 sites", "{page}");
    assert!(
        page.contains("\"/nonexistent/www\" is no folder to serve: No such file"),
        "{page}"
    );
    assert!(page.contains("Missing now"), "{page}");
}
