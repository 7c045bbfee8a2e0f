//! Where those listen whom a run puts on stage, and how the server under test reaches them there.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

/// By this name a container finds the machine that it runs on, as in the images that are kept for Complement.
pub(super) const HOST_OF_CONTAINERS: &str = "host.docker.internal";

/// An address of this machine, and what the server under test calls it.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    address: IpAddr,
    name: &'static str,
}

impl Whereabouts {
    /// For servers that are processes of this machine.
    pub(super) fn loopback() -> Self {
        Whereabouts { address: Ipv4Addr::LOCALHOST.into(), name: "localhost" }
    }

    /// For servers in containers, whose network has this gateway. Where the gateway is no address of this machine, the engine
    /// runs in a virtual machine, which passes on to loopback what is meant for its host.
    pub(super) fn of_containers(gateway: IpAddr) -> Self {
        let is_here = TcpListener::bind((gateway, 0)).is_ok();
        let address = if is_here { gateway } else { Ipv4Addr::LOCALHOST.into() };
        Whereabouts { address, name: HOST_OF_CONTAINERS }
    }

    /// A listener on a free port.
    pub(crate) fn listener(&self) -> std::io::Result<TcpListener> {
        TcpListener::bind((self.address, 0))
    }

    /// The address.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// The name under which the server finds it: the host of server names and URLs, and what certificates are for.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name for where nothing depends on a certificate. A process of this machine is spared the question whether loopback
    /// is IPv4 or IPv6.
    pub(crate) fn plain_name(&self) -> &'static str {
        if self.name == "localhost" { "127.0.0.1" } else { self.name }
    }
}
