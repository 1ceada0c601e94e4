//! The scene of `sealgate demo --scaling`: nobody asks and no worker runs; many ask at once and
//! workers come; nobody asks any more and they go.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sealgate_client::{AdminClient, Client};
use sealgate_model_builder::wdbc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::prepare::Prepared;
use crate::error::CliError;
use crate::output;
use crate::pools::{Pool, pools};
use crate::state::listing::Listing;
use crate::state::{State, example, model};

/// Who asks and what came of it.
#[derive(Default)]
struct Burst {
    over: AtomicBool,
    answered: AtomicU64,
    lost: AtomicU64,
}

/// Plays the scene and prints the workers and R = Ra/Ro as they change.
pub(super) async fn scene(
    state: &State,
    prepared: &Prepared,
    listing: Listing,
) -> Result<(), CliError> {
    let read = |path: &Path| std::fs::read(path).map_err(CliError::io("read", path));
    let ca = read(&listing.ca)?;
    let admin = listing.admin_url.as_deref().ok_or(CliError::NoAdminListener)?;
    let admin = AdminClient::new(admin, &ca, &prepared.operators_token()?)?;
    let token = String::from_utf8_lossy(&read(&listing.token)?).trim().to_owned();
    let burst = Arc::new(Burst::default());
    let seen = Seen { admin, burst: burst.clone(), begun: Instant::now() };

    output::line("\n# scaling: nobody asks, so the last worker goes")?;
    output::line("     time  workers  wanted  needed  R = Ra/Ro  requests  answered  lost")?;
    seen.until(IDLE_TIME_MAX, |pool| pool.ready == 0).await?;
    output::line(format_args!("# {CALLERS} ask at once"))?;
    let mut callers = JoinSet::new();
    let rows = body(state)?;
    for _ in 0..CALLERS {
        let client = Client::new(&listing.url, &ca, &token)?;
        callers.spawn(ask(client, burst.clone(), rows.clone()));
    }
    let most = seen.during(BURST_TIME).await?;
    burst.over.store(true, Ordering::Relaxed);
    while callers.join_next().await.is_some() {}
    output::line("# nobody asks any more")?;
    seen.until(IDLE_TIME_MAX, |pool| pool.ready == 0).await?;
    let (answered, lost) = burst.counts();
    output::line(format_args!(
        "# from no worker to {most} and back to none: {answered} requests answered, {lost} lost\n"
    ))
}

/// A request of many rows, so that the worker has something to do.
fn body(state: &State) -> Result<Vec<u8>, CliError> {
    let rows = wdbc()?.to_rows()?;
    let some = sealgate_model::Rows::new(
        ROWS,
        rows.features(),
        rows.values().iter().copied().take(ROWS * rows.features()).collect(),
    )?;
    example::request(model::load(state)?.manifest(), &some)
}

async fn ask(client: Client, burst: Arc<Burst>, body: Vec<u8>) {
    while !burst.over.load(Ordering::Relaxed) {
        let answer = client.infer_v2(model::NAME, body.clone()).await;
        let counter = if answer.is_ok() { &burst.answered } else { &burst.lost };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Burst {
    fn counts(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }
}

/// Looks on and prints.
struct Seen {
    admin: AdminClient,
    burst: Arc<Burst>,
    begun: Instant,
}

impl Seen {
    /// Until the pool is as it should be.
    async fn until(&self, most: Duration, is_so: impl Fn(&Pool) -> bool) -> Result<(), CliError> {
        let deadline = Instant::now() + most;
        while !is_so(&self.look().await?) {
            if Instant::now() >= deadline {
                return output::line("# it takes longer than expected");
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// For so long; gives the most workers that there were.
    async fn during(&self, time: Duration) -> Result<usize, CliError> {
        let (deadline, mut most) = (Instant::now() + time, 0);
        while Instant::now() < deadline {
            most = self.look().await?.ready.max(most);
            sleep(PAUSE).await;
        }
        Ok(most)
    }

    async fn look(&self) -> Result<Pool, CliError> {
        let answer = self.admin.pools().await?;
        let pool = pools(&answer.body)?.into_iter().find(|pool| pool.model == model::NAME);
        let pool = pool.ok_or(CliError::NoPool)?;
        let last = pool.history.last();
        let (answered, lost) = self.burst.counts();
        let ratio = last.and_then(|last| last.ratio);
        output::line(format_args!(
            "{:>7.1} s  {:>7}  {:>6}  {:>6.2}  {:>9}  {:>8}  {answered:>8}  {lost:>4}  {}",
            self.begun.elapsed().as_secs_f64(),
            pool.ready,
            last.map_or(pool.ready, |last| last.wanted),
            last.map_or(0.0, |last| last.needed),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            pool.in_flight,
            "#".repeat(pool.ready),
        ))?;
        Ok(pool)
    }
}

const CALLERS: usize = 12;
const ROWS: usize = 64;
const BURST_TIME: Duration = Duration::from_secs(8);
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);
