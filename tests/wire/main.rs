//! The protocol over real sockets: every scenario starts the built server and talks to it byte by byte, on both drivers.

#[cfg(test)]
#[macro_use]
#[path = "../harness/mod.rs"]
mod harness;

#[cfg(test)]
mod access_log;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod cached_site;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod check_command;
#[cfg(test)]
mod cold;
#[cfg(test)]
mod conditionals;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod encoding;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod keepalive;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod pipelining;
#[cfg(test)]
mod purge;
#[cfg(test)]
mod ranges;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod regressions;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod root_files;
#[cfg(test)]
mod start;
#[cfg(test)]
mod targets;
