//! `Listen`: where Apache takes connections, and where Hotplate does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::fault::ImportError;
use super::super::page::{Block, Entry, Fate, Note, list, text};
use super::ledger::Ledger;

/// The port of the admin API where nothing says otherwise.
const ADMIN_PORT: u16 = 9090;
/// Most listeners of a config of Hotplate.
const LISTENERS_MAX: usize = 64;

/// A place where Apache listens for HTTP without TLS; no address: all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    /// The address.
    pub(super) address: Option<IpAddr>,
    /// The port.
    pub(super) port: u16,
}

impl Listener {
    /// Whether a virtual host at `address`, as `<VirtualHost>` has it, gets what comes in here.
    pub(super) fn is_covered_by(self, address: &str) -> bool {
        let (host, port) = split(address);
        let port_fits = port.is_empty() || port == "*" || port.parse() == Ok(self.port);
        let host_fits = match host {
            "*" | "_default_" => true,
            host => host
                .parse()
                .is_ok_and(|ip: IpAddr| ip.is_unspecified() || self.address == Some(ip)),
        };
        port_fits && host_fits
    }
}

/// The `[server]` table, and where Apache listens for what is not TLS.
pub(super) fn server(ledger: &mut Ledger<'_>) -> Result<(Block, Vec<Listener>), ImportError> {
    let mut listeners = Vec::new();
    let mut notes = Vec::new();
    for number in ledger.of_host(super::tree::MAIN, "listen") {
        let directive = ledger.directive(number);
        let (host, port) = split_listen(directive.word(0));
        let protocol = directive.word(1);
        if !directive.unknown.is_empty() {
            notes.push(ledger.note(number, Fate::Dropped, unknown(&directive.unknown)));
            continue;
        }
        let Ok(port @ 1..) = port.parse::<u16>() else {
            return Err(ledger.tree.wrong(
                directive,
                0,
                "followed by a port, or an address and a port, such as 0.0.0.0:80",
            ));
        };
        let is_tls = protocol.eq_ignore_ascii_case("https") || (protocol.is_empty() && port == 443);
        let address = match host {
            "" | "*" => Ok(None),
            host => host.trim_matches(['[', ']']).parse().map(Some),
        };
        let (fate, why) = match address {
            _ if is_tls => (
                Fate::Dropped,
                "Hotplate speaks no TLS to clients: let a terminating proxy listen there and send its requests here",
            ),
            Err(_) => (
                Fate::Dropped,
                "not an IP address: write server.listen yourself",
            ),
            Ok(_) if listeners.len() * 2 >= LISTENERS_MAX => {
                (Fate::Dropped, "a server has at most 64 listeners")
            }
            Ok(address) => {
                let listener = Listener { address, port };
                if !listeners.contains(&listener) {
                    listeners.push(listener);
                }
                match address {
                    None => (
                        Fate::Translated,
                        "all addresses; without IPv6 on the machine, take out the one with [::]",
                    ),
                    Some(_) => (Fate::Translated, ""),
                }
            }
        };
        notes.push(ledger.note(number, fate, why));
    }
    Ok((block(&listeners, notes), listeners))
}

fn block(listeners: &[Listener], mut notes: Vec<Note>) -> Block {
    let mut block = Block::new("[server]");
    let mut sockets: Vec<SocketAddr> = Vec::new();
    for listener in listeners {
        let all = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let addresses = match &listener.address {
            None => &all[..],
            Some(address) => std::slice::from_ref(address),
        };
        for address in addresses {
            let socket = SocketAddr::new(*address, listener.port);
            if !sockets.contains(&socket) {
                sockets.push(socket);
            }
        }
    }
    let admin = admin_port(&sockets);
    if sockets.is_empty() {
        notes.push(Ledger::unsaid(
            "no Listen without TLS",
            "Hotplate's default; write where it is to listen",
        ));
        sockets.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    }
    let sockets: Vec<String> = sockets.iter().map(SocketAddr::to_string).collect();
    block
        .entries
        .push(Entry::new("listen", list(&sockets), notes));
    if admin != ADMIN_PORT {
        let note = Ledger::unsaid(
            "port 9090 is taken",
            "the admin API gets another than its default",
        );
        let value = text(&format!("127.0.0.1:{admin}"));
        block.entries.push(Entry::new("admin", value, vec![note]));
    }
    block
}

/// The first port from the default on that nobody listens at.
fn admin_port(sockets: &[SocketAddr]) -> u16 {
    let is_free = |port: &u16| sockets.iter().all(|socket| socket.port() != *port);
    (ADMIN_PORT..=u16::MAX).find(is_free).unwrap_or(ADMIN_PORT)
}

/// Why a directive with variables that have no value is dropped.
pub(super) fn unknown(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("-D {name}=VALUE"))
        .collect();
    format!(
        "a variable in it is not defined in these files; pass {}",
        names.join(" ")
    )
}

/// Address and port of a `<VirtualHost>`; no port: any.
fn split(address: &str) -> (&str, &str) {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (host, port.strip_prefix(':').unwrap_or(port));
    }
    match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port),
        _ => (address, ""),
    }
}

/// Address and port of a `Listen`; no address: all.
fn split_listen(address: &str) -> (&str, &str) {
    address.rsplit_once(':').unwrap_or(("", address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_host_covers_a_listener_by_address_and_port() {
        let any = Listener {
            address: None,
            port: 80,
        };
        let one = Listener {
            address: Some("10.0.0.1".parse().unwrap()),
            port: 80,
        };
        let six = Listener {
            address: Some("::1".parse().unwrap()),
            port: 80,
        };
        for (address, expected) in [
            ("*:80", [true; 3]),
            ("*", [true; 3]),
            ("_default_:*", [true; 3]),
            ("*:8080", [false; 3]),
            ("10.0.0.1:80", [false, true, false]),
            ("10.0.0.1", [false, true, false]),
            ("[::1]:80", [false, false, true]),
            ("[::1]", [false, false, true]),
            ("media.example:80", [false; 3]),
        ] {
            let covered = [any, one, six].map(|listener| listener.is_covered_by(address));
            assert_eq!(covered, expected, "{address}");
        }
    }

    #[test]
    fn admin_port_is_one_that_is_free() {
        let at = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        assert_eq!(admin_port(&[at(80)]), 9090);
        assert_eq!(admin_port(&[at(9090), at(9091)]), 9092);
    }
}
