//! What requests cost, and what they may cost. Money is in 10^-12 of the currency where it is a
//! number, and a decimal of the currency where it is a text.

use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a request that is allowed may cost at most: taken from the budgets before the work.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// The UTC day it counts for, in days since 1970.
    pub day: u32,
    /// How much, in 10^-12 of the currency.
    pub reserved: u64,
}

/// What a request used of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Microseconds that a thread of the worker was at work for it, as the worker says.
    pub busy_us: u32,
    /// Bytes that went to the worker, padded as they were.
    pub bytes_in: u64,
    /// Bytes that came from the worker, padded as they were.
    pub bytes_out: u64,
    /// What it costs, in 10^-12 of the currency; none where no price was in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub charge: Option<u64>,
    /// The memory that is accounted for while the worker works, in MiB.
    pub memory_mb: u32,
}

/// Prices and budgets are in force from here on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PricesSet {
    /// What may be spent.
    pub budgets: Vec<BudgetSet>,
    /// What prices are in; empty when there are none any more.
    pub currency: Text,
    /// The memory accounted for one worker, in MiB.
    pub memory_mb: u32,
    /// The same for models that need another, by name.
    pub memory_of: BTreeMap<Text, u32>,
    /// What a GB of memory for a second of work costs, as a decimal.
    pub per_gb_second: Text,
    /// What a request costs, as a decimal.
    pub per_request: Text,
    /// What a row costs, as a decimal.
    pub per_row: Text,
    /// SHA-256 of the policies they stand in, in hex.
    pub policy_digest: Text,
}

/// One budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetSet {
    /// How much, as a decimal.
    pub amount: Text,
    /// Its name.
    pub name: Text,
    /// Whose each is: `tenant` or `caller`.
    pub of: Text,
    /// How long it lasts: `day` or `month`, in UTC.
    pub per: Text,
    /// The one tenant that it is for; none is each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant: Option<Text>,
}

/// So much of a budget is spent; said once for each threshold and period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetWarned {
    /// How much there is, as a decimal.
    pub amount: Text,
    /// Its name.
    pub budget: Text,
    /// What both are in.
    pub currency: Text,
    /// The UTC day, in days since 1970; it, or its month, is the period.
    pub day: u32,
    /// The issuer of the caller whose it is, if it is a caller's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<Text>,
    /// How long it lasts: `day` or `month`.
    pub per: Text,
    /// The threshold that was reached, in percent.
    pub percent: u32,
    /// How much is spent, as a decimal.
    pub spent: Text,
    /// The caller whose it is, if it is a caller's, as the record names it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Text>,
    /// The tenant whose it is, or of the caller whose it is.
    pub tenant: Text,
}
