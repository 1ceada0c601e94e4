//! One batch cut among several workers.

use std::path::{Path, PathBuf};

use sealgate_client::{Demands, SHARDS_MAX, Shard};
use sealgate_model::{Manifest, Rows};

use super::{Answer, keep_of_refusal, kept};
use crate::asking;
use crate::error::CliError;
use crate::state::example;
use crate::state::listing::Listing;

/// Among how many workers.
#[derive(Clone, Copy)]
pub(super) enum Shards {
    /// As many as are found.
    Auto,
    /// So many, or nothing is sent.
    Exactly(usize),
}

pub(super) fn parse(text: &str) -> Result<Shards, String> {
    match text.parse() {
        _ if text == "auto" => Ok(Shards::Auto),
        Ok(count) if (1..=SHARDS_MAX).contains(&count) => Ok(Shards::Exactly(count)),
        _ => Err(format!("expected 1 to {SHARDS_MAX}, or `auto`")),
    }
}

/// The rows, and who is asked about them.
pub(super) struct Batch<'a> {
    pub(super) listing: &'a Listing,
    pub(super) manifest: &'a Manifest,
    pub(super) rows: &'a Rows,
}

impl Batch<'_> {
    /// The answers, in the order of the rows.
    pub(super) fn infer(
        &self,
        shards: Shards,
        demands: Demands,
        receipt: Option<&Path>,
    ) -> Result<Vec<Answer>, CliError> {
        let client = asking::sealed_client(self.listing, demands)?;
        let model = &self.listing.model;
        let wanted = match shards {
            Shards::Auto => SHARDS_MAX.min(self.rows.count()),
            Shards::Exactly(count) => count.min(self.rows.count()),
        };
        let runtime = asking::runtime()?;
        let mut replicas = runtime.block_on(client.replicas(model, wanted))?;
        let count = match shards {
            Shards::Auto => replicas.len().max(1),
            Shards::Exactly(_) => wanted,
        };
        replicas.truncate(count);
        let answered = client.infer_v2_sharded(model, self.cut(count)?, &replicas);
        let answers = match runtime.block_on(answered) {
            Ok(answers) => answers,
            Err(refused) => {
                keep_of_refusal(&refused, receipt)?;
                return Err(refused.into());
            }
        };
        let kept_at = |index: usize| receipt.map(|path| numbered(path, index + 1));
        let answers = answers.into_iter().enumerate();
        answers.map(|(index, answer)| kept(answer, kept_at(index).as_deref())).collect()
    }

    /// Even pieces, none empty.
    fn cut(&self, count: usize) -> Result<Vec<Shard>, CliError> {
        let (features, all) = (self.rows.features(), self.rows.count());
        let shard = |index: usize| {
            let [from, to] = [index, index + 1].map(|index| all * index / count.max(1));
            let values = self.rows.values().get(from * features..to * features);
            let rows = Rows::new(to - from, features, values.unwrap_or_default().to_vec())?;
            let body = example::request(self.manifest, &rows)?;
            Ok(Shard { body, rows: u32::try_from(rows.count()).unwrap_or(u32::MAX) })
        };
        (0..count).map(shard).collect()
    }
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}
