//! The cheapest client of a webhook, to compare the gateway with: `http_loop URL CONCURRENCY SECONDS`. Each of the loops posts the same JSON with
//! reqwest, again and again. Prints the number of requests and the CPU time of the process in seconds.

use std::{
    error::Error,
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: http_loop URL CONCURRENCY SECONDS BODY";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or(USAGE);
    let (url, concurrency, seconds, body) = (next()?, next()?.parse::<usize>()?, next()?.parse()?, next()?);
    let client = reqwest::Client::builder().no_proxy().build()?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let each = |_| {
        let (client, url, body) = (&client, &url, &body);
        async move {
            let mut count = 0_u64;
            while Instant::now() < until {
                let request = client.post(url).header("content-type", "application/json").body(body.clone());
                request.send().await?.error_for_status()?.bytes().await?;
                count += 1;
            }
            Ok::<_, reqwest::Error>(count)
        }
    };
    let counts = futures_util::future::try_join_all((0..concurrency).map(each)).await?;
    println!("{} {}", counts.iter().sum::<u64>(), cpu_seconds()?);
    Ok(())
}

/// CPU time of this process, in seconds.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("/proc/self/stat has an unknown format")?.1;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<_, _>>()?;
    // Clock ticks per second (`getconf CLK_TCK`).
    Ok(ticks / 100.0)
}
