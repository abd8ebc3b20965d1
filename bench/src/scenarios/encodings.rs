//! One channel whose subscribers all negotiate the same form. A batch is published when all subscribers have the one before, so a frame has
//! as many messages as a batch.

use crate::{
    client::{
        READ_SIZE,
        form::{Form, GROUPS, HISTORY},
    },
    http::Http,
    result::Result,
    server::{Binaries, Server},
};
use serde_json::{Value, json};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{sync::Notify, task::spawn_local, time::timeout};

const CHANNEL: &str = "open:forms";
/// Longest wait for the deliveries of one batch.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Forms to measure, interleaved
    #[arg(long, value_delimiter = ',', default_value = "json,json-compact,protobuf,protobuf-compact")]
    forms: Vec<Form>,
    /// Publications in one request
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    batches: Vec<usize>,
    /// Subscribed connections
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Batches for each measurement; a multiple of 10
    #[arg(long, default_value_t = 300)]
    count: usize,
    /// Bytes of the data of a publication
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// Bytes of the data that change with each publication
    #[arg(long, default_value_t = 20)]
    changed: usize,
    /// Runs of each form
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Keep a history, so that publications have positions
    #[arg(long)]
    history: bool,
    /// Run the gateway in callgrind (of valgrind) and count its instructions in user space
    #[arg(long)]
    instructions: bool,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    println!("form                batch  delivered            messages/frame  bytes/delivery  us CPU/delivery  instructions/delivery");
    for _ in 0..arguments.rounds {
        for form in &arguments.forms {
            measure(binaries, arguments, *form).await?;
        }
    }
    Ok(())
}

async fn measure(binaries: &Binaries, arguments: &Arguments, form: Form) -> Result {
    // Nobody answers pings.
    let mut settings = vec![("WORKERS", "1"), ("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")];
    settings.push(("STREAMS__HEART_BEAT", "1m"));
    settings.extend(form.settings());
    settings.extend(HISTORY.iter().filter(|_| arguments.history));
    let server = binaries.start_counted(&settings, arguments.instructions).await?;
    let received = Rc::new(Received::default());
    for number in 0..arguments.subscribers {
        let (mut client, received) = (form.subscriber(&server, number, CHANNEL).await?, received.clone());
        spawn_local(async move {
            while client.read(READ_SIZE, |_, payload| received.record(form, payload)).await.is_ok() {}
            received.closed.set(received.closed.get() + 1);
        });
    }
    let mut publisher = Publisher { http: Http::open(server.internal).await?, published: 0, form, arguments, received };
    for batch in &arguments.batches {
        // The first publications on a subscription differ: there is nothing that a delta could refer to.
        publisher.publish(*batch, GROUPS).await?;
        publisher.measure(&server, *batch).await?;
    }
    Ok(())
}

/// What all subscribers together have received.
#[derive(Default)]
struct Received {
    messages: Cell<usize>,
    frames: Cell<usize>,
    bytes: Cell<usize>,
    /// Connections that the gateway has closed.
    closed: Cell<usize>,
    changed: Notify,
}

impl Received {
    fn record(&self, form: Form, payload: &[u8]) {
        self.messages.set(self.messages.get() + form.count_messages(payload));
        self.frames.set(self.frames.get() + 1);
        self.bytes.set(self.bytes.get() + payload.len());
        self.changed.notify_one();
    }

    async fn wait_for(&self, messages: usize) {
        while self.messages.get() < messages {
            self.changed.notified().await;
        }
    }
}

struct Publisher<'a> {
    http: Http,
    /// Publications so far.
    published: usize,
    form: Form,
    arguments: &'a Arguments,
    received: Rc<Received>,
}

impl Publisher<'_> {
    async fn measure(&mut self, server: &Server, batch: usize) -> Result {
        let (messages, frames, bytes) = (self.received.messages.get(), self.received.frames.get(), self.received.bytes.get());
        server.instructions()?;
        let cpu = server.cpu_seconds()?;
        self.publish(batch, self.arguments.count).await?;
        let cpu = server.cpu_seconds()? - cpu;
        let instructions = server.instructions()?;
        let (messages, frames) = (self.received.messages.get() - messages, self.received.frames.get() - frames);
        let expected = batch * self.arguments.count * self.arguments.subscribers / self.form.selection();
        println!(
            "{:<18}  {batch:>5}  {messages:>9}/{expected:<9}  {:>14.1}  {:>14.1}  {:>15.3}  {:>21}",
            format!("{:?}", self.form),
            messages as f64 / frames as f64,
            (self.received.bytes.get() - bytes) as f64 / messages as f64,
            cpu * 1e6 / messages as f64,
            instructions.map_or_else(|| "-".to_owned(), |count| format!("{:.1}", count as f64 / messages as f64)),
        );
        Ok(())
    }

    /// Publishes this many batches, each when all subscribers have the one before.
    async fn publish(&mut self, batch: usize, count: usize) -> Result {
        for _ in 0..count {
            let first = self.published;
            self.published += batch;
            let publications: Vec<_> = (first..self.published).map(|number| self.publication(number)).collect();
            // With filters each group of subscribers gets the publications of its own group.
            let expected = match self.form.selection() {
                1 => batch * self.arguments.subscribers,
                _ => (first..self.published).map(|number| self.members(number % GROUPS)).sum(),
            };
            let expected = self.received.messages.get() + expected;
            self.http.post("/v1/publications", &json!({ "publications": publications }).to_string()).await?;
            if timeout(DELIVERY_TIMEOUT, self.received.wait_for(expected)).await.is_err() {
                let (missing, closed) = (expected - self.received.messages.get(), self.received.closed.get());
                return Err(format!("{missing} deliveries did not come in time; {closed} connections were closed").into());
            }
        }
        Ok(())
    }

    /// The number of subscribers in a group.
    fn members(&self, group: usize) -> usize {
        (self.arguments.subscribers + GROUPS - 1 - group) / GROUPS
    }

    /// A document in whose middle a number changes.
    fn publication(&self, number: usize) -> Value {
        let Arguments { size, changed, .. } = self.arguments;
        let around = "the rest of the document stays ".chars().cycle();
        let half = size.saturating_sub(changed + "\"\"".len()) / 2;
        let data: String = around.clone().take(half).chain(format!("{number:0changed$}").chars()).chain(around.take(half)).collect();
        json!({ "channel": CHANNEL, "data": data, "tags": { "group": (number % GROUPS).to_string() } })
    }
}
