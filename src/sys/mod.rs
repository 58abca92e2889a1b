//! System calls behind safe interfaces: the only room with `unsafe`. Knows nothing of HTTP.

pub mod beneath;
pub mod clock;
pub mod cpu;
pub mod descriptors;
pub mod epoll;
pub mod file;
pub mod growing;
pub mod guard;
pub mod mapping;
pub mod pages;
pub mod probe;
pub mod residency;
pub mod ring;
pub mod sealed;
pub mod send;
pub mod socket;
pub mod wake;
