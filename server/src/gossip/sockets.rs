//! The two sockets of a member, and its addresses as the wire and as the system have them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use protocol::swim::Address;
use protocol::swim::message::Addr;
use socket2::{Domain, Socket, Type};

use super::error::PoolError;

/// What is asked for the packets that wait: a pool of thousands has bursts.
const RECEIVE_BUFFER: usize = 2 << 20;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 512;
/// How often a port that the system chooses is chosen anew, when packets cannot have the one that
/// streams got.
const ATTEMPTS: usize = 10;

/// Packets and streams, on one port.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) udp: UdpSocket,
    pub(super) tcp: TcpListener,
    pub(super) address: SocketAddr,
}

impl Sockets {
    /// Opens both. Port 0 is any port.
    pub(super) fn open(listen: SocketAddr) -> Result<Self, PoolError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let fail = |what, address| move |source| PoolError::Listen { what, address, source };
            let tcp = streams(listen).map_err(fail("TCP", listen))?;
            let address = tcp.local_addr().map_err(fail("TCP", listen))?;
            match packets(address) {
                Ok(udp) => return Ok(Self { udp, tcp, address }),
                Err(_) if listen.port() == 0 && attempts < ATTEMPTS => {}
                Err(source) => return Err(PoolError::Listen { what: "UDP", address, source }),
            }
        }
    }
}

fn streams(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of the last life that are still being closed do not hold the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn packets(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    let mut room = RECEIVE_BUFFER;
    while room > 0 && socket.set_recv_buffer_size(room).is_err() {
        room /= 2;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// An address of the system as the wire has it: four bytes wherever four are enough.
pub(super) fn to_wire(address: SocketAddr) -> Address {
    let addr = match address.ip().to_canonical() {
        IpAddr::V4(v4) => Addr::from(v4.octets()),
        IpAddr::V6(v6) => Addr::from(v6.octets()),
    };
    Address { addr, port: address.port() }
}

/// An address of the wire as the system has it; `None` when nobody can live there.
pub(super) fn from_wire(address: Address) -> Option<SocketAddr> {
    let bytes = address.addr.as_bytes();
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()?;
    (address.port != 0).then(|| SocketAddr::new(ip.to_canonical(), address.port))
}

/// An address as a socket of this family can send to it.
pub(super) fn reachable_from(own: SocketAddr, to: SocketAddr) -> SocketAddr {
    match (own, to.ip()) {
        (SocketAddr::V6(_), IpAddr::V4(v4)) => {
            SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), to.port())
        }
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round_and_four_bytes_stay_four() {
        for text in ["127.0.0.1:7946", "[::1]:7946", "[fe80::1]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(from_wire(to_wire(address)), Some(address));
        }
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:5".parse().unwrap();
        assert_eq!(to_wire(mapped).addr.as_bytes(), [10, 0, 0, 1]);
        let nowhere = Address { addr: Addr::new(&[1, 2, 3]).unwrap(), port: 1 };
        assert_eq!(from_wire(nowhere), None);
        assert_eq!(from_wire(Address { addr: Addr::from([1, 2, 3, 4]), port: 0 }), None);
        let v6: SocketAddr = "[::1]:1".parse().unwrap();
        let v4: SocketAddr = "10.0.0.1:5".parse().unwrap();
        assert_eq!(reachable_from(v6, v4), mapped);
        assert_eq!(reachable_from(v4, v4), v4);
    }

    #[test]
    fn any_port_is_one_port_for_both() {
        let sockets = Sockets::open("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(sockets.address.port(), 0);
        assert_eq!(sockets.udp.local_addr().unwrap(), sockets.address);
        let taken = Sockets::open(sockets.address).unwrap_err().to_string();
        assert!(taken.contains("--listen-gossip"), "{taken}");
    }
}
