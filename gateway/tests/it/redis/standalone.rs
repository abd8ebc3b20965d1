//! The contract with one server.

use super::support::{DOCUMENTED, fixture_of, login};
use gateway::{contract, testing::contract::BrokerFixture};
use redis_testing::Server;

/// A broker whose Redis user has exactly the documented rights.
async fn fixture() -> BrokerFixture {
    let server = Server::start().await;
    server.set_user(&login(), &DOCUMENTED).await;
    fixture_of(server.url_of(&login()), server)
}

contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] [tokio::test(flavor = "multi_thread", worker_threads = 4)] fixture().await }
