use super::*;
use crate::{
    broker::redis::{
        commands::{lane::lane, limits::LaneLimits},
        servers::{
            address::Address,
            connect::{rights::probe::Probe, server_assignment::ServerAssignments, timing::Timeouts},
            health::Health,
            masters::Masters,
        },
    },
    settings::Settings,
};
use futures_util::FutureExt as _;
use tokio::time::timeout;

const LONG: Duration = Duration::from_hours(1);

// A list waits a moment for the write of new names. Then it cancels the write and continues.
#[tokio::test(start_paused = true)]
async fn names_whose_write_is_cancelled_wait_for_the_next_one() {
    let settings = Settings::from_toml("redis.url = \"redis://h:1\"").expect("values of the right type");
    let address = Address::try_from(&settings.redis).expect("a good address");
    let (timeouts, probe) = (Timeouts { connect: LONG, response: LONG }, Probe::new("test:probe".into()));
    let masters =
        Masters::new(address, 1, timeouts, probe, &ServerAssignments::new("test:assignment".into(), LONG)).expect("a good address");
    // The driver does not run: no command gets an answer.
    let (lane, _driver) = lane(
        LaneLimits { queue_commands: 8, batch_commands: 4, deadline: LONG, replicas: None },
        Arc::new(masters),
        Arc::new(Health::default()),
        Arc::default(),
        0,
    );
    let index = ChannelIndex::new(Keys::new("test"), Arc::new(lane), Arc::default());
    let names = ["c:1", "c:2"].map(|name| name.parse().expect("valid"));
    index.add(&names);
    index.changed.notified().await;
    assert!(timeout(Duration::from_millis(100), index.write()).await.is_err());
    assert_eq!(*lock(&index.waiting), HashSet::from(names));
    assert!(index.changed.notified().now_or_never().is_some(), "the background task writes them");
}
