//! How a cluster comes to be.

use super::{cluster::Cluster, options::ClusterOptions, slot::SLOTS, view::View};
use crate::{servers::server::Server, wait::until};

impl Cluster {
    /// Starts all members, and waits until they agree. Masters come first, those without slots last of them; then their replicas in the same order.
    pub async fn start(options: ClusterOptions) -> Self {
        let masters = options.masters + options.spare;
        let mut cluster = Self { options, members: Vec::new(), ids: Vec::new(), view: View::default() };
        for _ in 0..masters * (1 + cluster.options.replicas) {
            cluster.add().await;
        }
        let border = |master: usize| usize::from(SLOTS) * master / cluster.options.masters;
        for (number, master) in cluster.members[..cluster.options.masters].iter().enumerate() {
            let (first, last) = (border(number).to_string(), (border(number + 1) - 1).to_string());
            master.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
        }
        cluster.settle().await;
        for replica in masters..cluster.members.len() {
            cluster.replicate(replica, replica % masters).await;
        }
        cluster.settle().await;
        cluster
    }

    /// A further master without slots joins. Answers its number.
    pub async fn join(&mut self) -> usize {
        let number = self.add().await;
        self.settle().await;
        number
    }

    /// Another member, which the first one meets. Answers its number.
    async fn add(&mut self) -> usize {
        let number = self.members.len();
        let member = Server::start_with(self.options.member(number)).await;
        member.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
        if let Some(first) = self.members.first() {
            let (address, bus) = (member.address(), member.bus());
            let met = [&*address.ip().to_string(), &address.port().to_string(), &bus.to_string()];
            first.command(&[&["CLUSTER", "MEET"], &met[..]].concat()).await;
        }
        self.ids.push(member.command(&["CLUSTER", "MYID"]).await.text());
        self.members.push(member);
        number
    }

    /// Makes a member that has nothing the replica of another.
    pub async fn replicate(&self, number: usize, of: usize) {
        let (member, master) = (&self.members[number], &self.ids[of]);
        // It may have to learn first that its slots are another's by now.
        until("it replicates", async || member.try_command(&["CLUSTER", "REPLICATE", master]).await.is_ok()).await;
        until("it is a replica", async || member.is_linked().await).await;
    }
}
