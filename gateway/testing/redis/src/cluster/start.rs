//! Starts a cluster, and adds members to it.

use super::{cluster::Cluster, options::ClusterOptions, slot::SLOTS, view::View};
use crate::{servers::server::Server, wait::until};

impl Cluster {
    /// Starts all members, and waits until they agree. The order of the numbers is: masters with slots, masters without
    /// slots, replicas in the order of their masters.
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

    /// Adds a master without slots. Returns its number.
    pub async fn join(&mut self) -> usize {
        let number = self.add().await;
        self.settle().await;
        number
    }

    /// Starts another member and joins it to the cluster (`CLUSTER MEET` at the first member). Returns its number.
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

    /// Makes the member `number`, which has no slots and no keys, a replica of the member `of`.
    pub async fn replicate(&self, number: usize, of: usize) {
        let (member, master) = (&self.members[number], &self.ids[of]);
        // The member refuses this until it knows that its former slots belong to another master.
        until("the member accepts CLUSTER REPLICATE", async || member.try_command(&["CLUSTER", "REPLICATE", master]).await.is_ok()).await;
        until("the new replica is synchronised", async || member.is_linked().await).await;
    }
}
