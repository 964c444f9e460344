//! Ways around broken links, on a bench that has them: production's mesh between core and links.

use protocol::mesh::{Config, Input, Mesh, Output, Packet};
use protocol::raft::Message;
use protocol::{NodeId, Time};

use super::{Cluster, Happening, id};

impl Cluster {
    /// From now on all nodes look for ways around broken links.
    pub fn look_for_ways(&mut self) {
        let (nodes, heartbeat) = (self.settings.nodes, self.settings.heartbeat);
        self.meshes = (0..nodes).map(|n| Mesh::new(Config::usual(id(n), 1, heartbeat))).collect();
        for n in 0..nodes {
            self.mesh(n, Input::Members((0..nodes).map(id).collect()));
        }
    }

    /// When a node's mesh has something to do.
    pub(super) fn mesh_timer(&self, n: usize) -> Option<Time> {
        self.meshes.get(n).and_then(Mesh::poll_timeout)
    }

    /// Sends a message, by whatever way there is.
    pub(super) fn send(&mut self, from: usize, to: NodeId, message: Message) {
        if self.meshes.is_empty() {
            self.transmit(from, to, Packet::Direct(message));
        } else {
            self.mesh(from, Input::Send { to, message, once: false });
        }
    }

    /// A packet arrives.
    pub(super) fn arrived(&mut self, from: usize, to: usize, packet: Packet<Message>) {
        if self.meshes.is_empty() {
            if let Packet::Direct(message) = packet {
                self.receive(id(from), to, message);
            }
        } else {
            self.mesh(to, Input::Arrived { from: id(from), packet });
        }
    }

    /// Something happens to a node's mesh.
    pub(super) fn mesh(&mut self, n: usize, input: Input<Message>) {
        let Some(mesh) = self.meshes.get_mut(n) else { return };
        mesh.handle(self.now, input);
        while let Some(output) = self.meshes[n].poll_output() {
            match output {
                Output::Deliver { from, message } => self.receive(from, n, message),
                Output::Transmit { to, packet } => self.transmit(n, to, packet),
            }
        }
    }

    fn transmit(&mut self, from: usize, to: NodeId, packet: Packet<Message>) {
        let to = usize::try_from(to.0 - 1).expect("invariant: places are small");
        let at = self.now + self.settings.latency.draw(&mut self.rng);
        self.plan(at, Happening::Deliver { from, to, packet });
    }
}
