//! The media library over its admin endpoints and commands: every scenario starts the built server before origins that say what
//! the scenario wants, and looks at paths, bytes, leases, replies, and what the origins were asked.

#[cfg(test)]
#[macro_use]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(test)]
mod shelf;
#[cfg(test)]
#[path = "../harness/tls.rs"]
mod tls;

#[cfg(test)]
mod allowed;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod extensions;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod freeswitch;
#[cfg(test)]
mod gets;
#[cfg(test)]
mod https;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod midway;
#[cfg(test)]
#[path = "../upload/parts.rs"]
mod parts;
#[cfg(test)]
mod players;
#[cfg(test)]
mod prefetches;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod purges;
#[cfg(test)]
mod redirects;
