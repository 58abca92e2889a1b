//! What the integration tests stand on: a folder of files, a config, the real server, and a client that reads strictly.
//!
//! Nothing here knows how the server works inside: it writes a config into a folder of its own, starts the built binary on
//! a free port of 127.0.0.1, and talks to it over plain sockets. Every scenario runs once for each driver. Nothing waits
//! blindly: a wait polls for what it waits for and fails with a reason at its deadline.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::allow_attributes,
    reason = "shared by the test binaries; each uses its part"
)]

#[macro_use]
pub(crate) mod driver;
pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod device;
pub(crate) mod folder;
pub(crate) mod origin;
pub(crate) mod process;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod setup;
pub(crate) mod waiting;

pub(crate) use answer::Answer;
pub(crate) use client::{Broken, Client};
pub(crate) use config::{Config, Pin};
pub(crate) use driver::Driver;
pub(crate) use folder::{Folder, pattern};
pub(crate) use request::{Request, get, head};
pub(crate) use server::Server;
pub(crate) use setup::{HOLDS, Setup, media};
pub(crate) use waiting::{eventually, now, pause};
