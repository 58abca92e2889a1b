//! The shared cache over real sockets: every scenario starts the built server before an origin that says what the scenario
//! wants, on both drivers, and looks at bytes, fields, Cache-Status and what the origin was asked.

#[cfg(test)]
#[macro_use]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(test)]
#[macro_use]
mod site;

#[cfg(test)]
mod adopted;
#[cfg(test)]
mod blocks;
#[cfg(test)]
mod collapsing;
#[cfg(test)]
mod directives;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod every_answer;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod head;
#[cfg(test)]
mod hits;
#[cfg(test)]
mod informational;
#[cfg(test)]
mod invalidation;
#[cfg(test)]
mod left_behind;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod outgrown;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod refused_parts;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod seeks;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod stale;
#[cfg(test)]
mod storing;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod table;
#[cfg(test)]
mod trailers;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod validation;
#[cfg(test)]
mod variants;
