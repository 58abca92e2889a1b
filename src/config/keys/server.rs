//! The keys of `[server]`.

use super::super::shape::{Key, Shape, Table};
use super::super::{Settings, values};
use super::key;
use crate::admin::settings::AccessLogFormat;
use crate::server::settings::DriverChoice;

const WORKERS_MAX: usize = 1024;
const LISTENERS_MAX: usize = 64;
const _: () = assert!(WORKERS_MAX <= u16::MAX as usize);

/// `[server]`
pub(in crate::config) static SERVER: Table<Settings> = Table {
    name: "server",
    written: "[server]",
    keys: &[
        key(
            "listen",
            r#"["127.0.0.1:8080"]"#,
            "Where cleartext HTTP/1.1 is listened for.",
            Shape::List {
                accepts: "an IP address with a port, such as \"0.0.0.0:8080\" or \"[::]:8080\"",
                lone: false,
                min: 1,
                max: LISTENERS_MAX,
                clear: |settings| settings.server.listen.clear(),
                add: |settings, text, _| {
                    settings.server.listen.push(values::socket_address(text)?);
                    Ok(())
                },
            },
        ),
        key(
            "workers",
            "0",
            "How many worker threads serve; 0: one per core that this process may use.",
            Shape::Count {
                min: 0,
                max: WORKERS_MAX,
                slot: |settings| &mut settings.server.workers,
            },
        ),
        key(
            "driver",
            r#""auto""#,
            "How bytes are moved; auto: io_uring where it works, else epoll.",
            Shape::Choice(&[
                ("auto", |settings| {
                    settings.server.driver = DriverChoice::Auto
                }),
                ("io_uring", |settings| {
                    settings.server.driver = DriverChoice::IoUring
                }),
                ("epoll", |settings| {
                    settings.server.driver = DriverChoice::Epoll
                }),
            ]),
        ),
        key(
            "admin",
            r#""127.0.0.1:9090""#,
            "Where health, metrics and statistics are asked for; \"\" turns them off.",
            Shape::Text {
                accepts: "an IP address with a port, \"unix:/path\" or \"\"",
                set: |settings, text, folder| {
                    settings.admin.address = values::admin_address(text, folder)?;
                    Ok(())
                },
            },
        ),
        Key {
            name: "admin_token",
            default: Some(r#""""#),
            help: "Bearer token that admin requests must carry; needed when other machines can reach the address.",
            secret: true,
            shape: Shape::Text {
                accepts: "16 to 256 characters of a bearer token, or \"\" for none",
                set: |settings, text, _| {
                    settings.admin.token = values::token(text)?;
                    Ok(())
                },
            },
        },
        key(
            "access_log",
            r#""""#,
            "Where a line for each answer goes; \"\" turns it off.",
            Shape::Text {
                accepts: "\"\", \"stdout\", \"stderr\" or a path with a \"/\"",
                set: |settings, text, folder| {
                    settings.admin.access_log = values::access_log(text, folder)?;
                    Ok(())
                },
            },
        ),
        key(
            "format",
            r#""combined""#,
            "The form of the access log's lines.",
            Shape::Choice(&[
                ("combined", |settings| {
                    settings.admin.format = AccessLogFormat::Combined
                }),
                ("json", |settings| {
                    settings.admin.format = AccessLogFormat::Json
                }),
            ]),
        ),
    ],
    inner: &[],
};
