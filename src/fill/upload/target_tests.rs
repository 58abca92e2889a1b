//! Where uploads go, and where they do not.

use super::*;
use crate::fill::profile::domain::Domain;
use crate::fill::profile::{Environment, ProfileRule, Secret};
use crate::index::sites::SiteRule;

pub(in crate::fill::upload) fn routes() -> Routes {
    let profile = |name: &str, kind, domain: &str| ProfileRule {
        name: name.to_owned(),
        kind,
        domains: vec![Domain {
            is_suffix: false,
            name: domain.to_owned(),
            port: None,
        }],
        request_headers: vec![("X-Key".to_owned(), Secret::new("1"))],
        ..ProfileRule::default()
    };
    let rules = [
        profile("bucket", ProfileKind::S3, "b.example"),
        profile("token", ProfileKind::Headers, "t.example"),
        profile("blobs", ProfileKind::Azure, "z.example"),
    ];
    let profiles = Profiles::following(&Profiles::default(), &rules, &Environment::default());
    let origin = OriginRule {
        urls: vec![url_of(Scheme::Https, "origin.example:444").unwrap()],
        profile: "bucket".to_owned(),
        ..OriginRule::default()
    };
    let site = |hosts: &[&str], origin: &OriginRule| SiteRule {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        origin: Some(origin.clone()),
        ..SiteRule::default()
    };
    let sites = SiteTable::new(&[site(&["s.example"], &origin), site(&[], &origin)]);
    Routes {
        sites: Arc::new(ArcSwap::from_pointee(sites)),
        profiles: Arc::new(ArcSwap::from_pointee(profiles)),
        hosts: Arc::default(),
    }
}

fn hosts(allow_private: bool) -> UploadHosts {
    let patterns = ["*.wide.example", "127.0.0.1"];
    UploadHosts {
        patterns: patterns
            .iter()
            .map(|host| HostPattern::new(host, None))
            .chain([HostPattern::new("*", Some(8080))])
            .collect(),
        allow_private,
        origin: OriginRule {
            verify_peer: false,
            ..OriginRule::default()
        },
        ..UploadHosts::default()
    }
}

#[test]
fn what_could_be_shown_to_others_is_for_the_hosts_of_its_profile() {
    let mut routes = routes();
    routes.hosts = Arc::new(ArcSwap::from_pointee(UploadHosts {
        patterns: vec![HostPattern::new("*", None)],
        ..UploadHosts::default()
    }));
    let target = |url: &str, name| routes.resolve(url, Some(name)).map(|target| target.url());
    // Fixed fields, and signatures of Azure.
    for (name, own) in [
        ("token", "http://t.example/a"),
        ("blobs", "http://z.example/a"),
    ] {
        assert_eq!(target(own, name).as_deref(), Ok(own));
        for other in [
            "http://a.example/a",
            "http://b.example/a",
            "http://s.example/a",
        ] {
            let refused = Err(NoTarget::OtherHost(name.to_owned()));
            assert_eq!(target(other, name), refused, "{other}");
        }
    }
}

#[test]
fn host_of_the_config_is_a_target_at_its_public_addresses() {
    let mut routes = routes();
    let resolve = |routes: &Routes, url: &str, named| {
        let target = routes.resolve(url, named)?;
        let settings = target.settings;
        let profile = settings.profile.as_ref().map(|one| one.name().to_owned());
        let url = &settings.urls[0];
        Ok::<_, NoTarget>((
            format!("{url}{}", target.path),
            profile,
            settings.public_only,
        ))
    };
    routes.hosts = Arc::new(ArcSwap::from_pointee(hosts(false)));
    let found = |url: &str, profile: Option<&str>, public_only| {
        Ok((url.to_owned(), profile.map(str::to_owned), public_only))
    };
    assert_eq!(
        resolve(&routes, "https://A.wide.example:444/a", None),
        found("https://a.wide.example:444/a", None, true)
    );
    let tls = routes.resolve("https://a.wide.example/a", None);
    assert!(!tls.expect("a target").settings.tls.verify_peer);
    assert_eq!(
        resolve(&routes, "http://a.wide.example/a", Some("bucket")),
        found("http://a.wide.example/a", Some("bucket"), true)
    );
    assert_eq!(
        resolve(&routes, "http://127.0.0.1:81/a", None),
        found("http://127.0.0.1:81/a", None, false)
    );
    let private = Err(NoTarget::PrivateAddress("[::1]".to_owned()));
    assert_eq!(resolve(&routes, "http://[::1]:8080/a", None), private);
    assert_eq!(
        resolve(&routes, "http://[::1]:8080/a", Some("bucket")),
        private
    );
    for url in ["http://wide.example/a", "http://[::1]:8081/a"] {
        assert!(
            matches!(
                resolve(&routes, url, None),
                Err(NoTarget::HostNotAllowed(_))
            ),
            "{url}"
        );
    }
    assert_eq!(
        resolve(&routes, "ftp://127.0.0.1/a", None),
        Err(NoTarget::NotAUrl)
    );
    // The profile is for the scheme's own port, the site for every one.
    assert_eq!(
        resolve(&routes, "http://b.example:8080/a", None),
        found("http://b.example:8080/a", None, true)
    );
    assert_eq!(
        resolve(&routes, "http://s.example:8080/a", None),
        found("https://origin.example:444/a", Some("bucket"), false)
    );
    routes.hosts.store(Arc::new(hosts(true)));
    assert_eq!(
        resolve(&routes, "http://[::1]:8080/a", None),
        found("http://[::1]:8080/a", None, false)
    );
}

#[test]
fn upload_goes_to_what_the_config_names_alone() {
    let sent = |url: &str, named| {
        let target = routes().resolve(url, named)?;
        let profile = target
            .settings
            .profile
            .as_ref()
            .map(|one| one.name().to_owned());
        let url = &target.settings.urls[0];
        Ok::<_, NoTarget>((format!("{url}{}", target.path), target.host, profile))
    };
    let found = |url: &str, host: &str, profile: &str| {
        Ok((url.to_owned(), host.to_owned(), Some(profile.to_owned())))
    };
    assert_eq!(
        sent("http://B.example:80/a b?c=d e#f", None),
        found("http://b.example/a%20b?c=d%20e", "b.example", "bucket")
    );
    assert_eq!(
        sent("http://s.example:8080/ü/%zz", None),
        found(
            "https://origin.example:444/%C3%BC/%25zz",
            "origin.example:444",
            "bucket"
        )
    );
    assert_eq!(
        sent("http://t.example/a", None),
        found("http://t.example/a", "t.example", "token")
    );
    // Another profile's signature proves nothing elsewhere; its fixed fields would be given away.
    assert_eq!(
        sent("http://t.example/a", Some("bucket")),
        found("http://t.example/a", "t.example", "bucket")
    );
    let other = Err(NoTarget::OtherHost("token".to_owned()));
    assert_eq!(sent("http://b.example/a", Some("token")), other);
    for host in ["c.example", "b.example:81", "127.0.0.1", "[::1]"] {
        let none = Err(NoTarget::HostNotAllowed(host.to_owned()));
        assert_eq!(sent(&format!("http://{host}/a"), None), none);
        assert_eq!(sent(&format!("http://{host}/a"), Some("bucket")), none);
    }
    let none = Err(NoTarget::NoProfile("x".to_owned()));
    assert_eq!(sent("http://b.example/a", Some("x")), none);
    for url in [
        "",
        "/a",
        "ftp://b.example/a",
        "http:///a",
        "http://u:p@b.example/a",
    ] {
        assert_eq!(sent(url, None), Err(NoTarget::NotAUrl), "{url}");
    }
}
