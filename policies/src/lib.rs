//! Who may do what, within which limits.
//!
//! A folder of files written by an admin becomes a [`PolicySet`]. It turns the bytes of a token
//! into a [`Caller`] and a caller's request into a [`Decision`]. Nothing here opens a socket,
//! reads a clock or counts: the gateway and the command line pass the time in and decide by the
//! same code.
//!
//! ```
//! use sealgate_policies::{Folder, PolicySet, Profile};
//!
//! let folder = Folder::shipped();
//! let policy = PolicySet::from_folder(&folder, Profile::Dev).map_err(|m| m.to_string())?;
//! assert!(policy.model("breast-cancer").is_some());
//! assert_eq!(policy.authenticate("not a token", 0).err().map(|r| r.code()), Some("token_malformed"));
//! # Ok::<(), String>(())
//! ```
//!
//! What is absent: outside of this crate, a [`Caller`] that no token made; a [`Permit`] that no decision made, and any
//! way to decide with a caller that another version of the folder authenticated.

mod any_ask;
mod ask;
mod caller;
mod cases;
mod check;
mod decide;
mod decision;
mod diff;
mod explain;
mod folder;
mod mistake;
mod money;
mod revocation;
mod rules;
mod set;
mod shipped;
mod show;
mod tables;
mod token;

pub use any_ask::{AnyAction, AnyAsk};
pub use ask::{Action, Ask, DecisionKey, GatewayAction, GatewayAsk, Mode, Protocol};
pub use caller::Caller;
pub use cases::{CaseFound, CaseReport, Differs, parse_time_s, run_cases};
pub use check::Checked;
pub use decision::{Decision, Denial, GatewayDecision, GatewayPermit, Permit};
pub use diff::{Answer, Change, Changed, Compared, Recorded, Replay, Tally};
pub use explain::{
    Asked, AskedOfModel, Came, Explanation, Grant, Granted, ModelFound, PartFound, RuleFound, Who,
};
pub use folder::Folder;
pub use mistake::{Mistake, Mistakes, Severity};
pub use money::{Money, NotMoney};
pub use revocation::{OverlayFull, Revocation, RevocationKind, RevocationOverlay};
pub use rules::{ContextUse, Found};
pub use set::{PolicyDigest, PolicySet, Profile};
pub use shipped::default_folder;
pub use show::{Shown, ShownModel, ShownRule};
pub use tables::{
    Budget, BudgetName, BudgetOf, BudgetPer, Costs, LimitProfile, Memory, Model, Prices, Rate,
    ReleaseOutput, ReleaseProfile, Work, Workers,
};
pub use token::{JWKS_BYTES_MAX, RemoteIssuer, Supposed, TOKEN_BYTES_MAX, TokenRefusal};
