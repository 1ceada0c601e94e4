//! Workers that are kept, and do nothing for most of the time. No tenant is charged for that.

use std::collections::BTreeMap;

use sealgate_audit::PricesSet;
use sealgate_review::{Filter, Index, UsageBy, WorkerTime};
use serde::Serialize;

use super::money::{exact, gb_seconds};
use super::report::Rates;
use crate::error::CliError;

/// What a model's workers cost while they wait.
#[derive(Serialize)]
pub(super) struct Idle {
    pub(super) model: String,
    pub(super) workers: u64,
    pub(super) alive_us: u64,
    pub(super) busy_us: u64,
    /// Of the time that they were there and not busy.
    pub(super) gb_seconds: String,
    /// The same at the price of a GB-second, if there is one.
    pub(super) cost: Option<String>,
    #[serde(skip)]
    pub(super) picos: Option<u128>,
}

/// By model. Of a worker with several threads more than all of its time may be busy: then it was
/// never idle.
pub(super) fn of(
    index: &Index,
    filter: &Filter,
    recorded: Option<&PricesSet>,
    rates: &Rates,
    until_us: u64,
) -> Result<Vec<Idle>, CliError> {
    let everybody = Filter { tenant: None, ..filter.clone() };
    let busy = index.used(&everybody, &[UsageBy::Model])?;
    let busy: BTreeMap<String, u64> =
        busy.into_iter().filter_map(|mut used| Some((used.key.pop()?, used.busy_us))).collect();
    let times = index.worker_times(filter.since_us.unwrap_or(0), until_us)?;
    let wanted =
        times.into_iter().filter(|time| filter.model.as_ref().is_none_or(|m| *m == time.model));
    Ok(wanted
        .map(|WorkerTime { model, workers, alive_us }| {
            let busy_us = busy.get(&model).copied().unwrap_or_default();
            let memory_mb = rates.memory_mb(&model, recorded);
            let mb_us = u128::from(alive_us.saturating_sub(busy_us)) * u128::from(memory_mb);
            let picos = rates.of_memory(mb_us, recorded);
            Idle {
                model,
                workers,
                alive_us,
                busy_us,
                gb_seconds: gb_seconds(mb_us),
                cost: picos.map(exact),
                picos,
            }
        })
        .collect())
}
