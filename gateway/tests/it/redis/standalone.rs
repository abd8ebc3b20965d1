//! The contract with one server.

use super::support::{DOCUMENTED, bed_of, login};
use gateway::{contract, testing::contract::Bed};
use redis_testing::Server;

/// A broker whose Redis user has exactly the documented rights.
async fn bed() -> Bed {
    let server = Server::start().await;
    server.set_user(&login(), &DOCUMENTED).await;
    bed_of(server.url_of(&login()), server)
}

contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] [tokio::test(flavor = "multi_thread", worker_threads = 4)] bed().await }
