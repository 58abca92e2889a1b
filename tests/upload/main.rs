//! Private origins and uploads over real sockets: the built server, servers that verify signatures for real (moto for S3,
//! Azurite for Azure; installed by `tests/install`, else those tests say that they are skipped), and an origin that
//! says what the scenario wants for everything that goes wrong.

#[cfg(test)]
#[macro_use]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(test)]
#[path = "../harness/tls.rs"]
mod tls;

#[cfg(test)]
mod cached;
#[cfg(test)]
mod dropped;
#[cfg(test)]
mod flat;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod https;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod large;
#[cfg(test)]
mod moved;
#[cfg(test)]
mod order;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod power;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod put;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod readable;
#[cfg(test)]
mod record;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod told;
