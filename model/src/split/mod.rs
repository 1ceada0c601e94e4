//! A network that several processes compute together.
//!
//! A [`Plan`] says how a model was cut and which parts it has; its digest is the model's identity.
//! A [`Part`] is a file of its own, which nothing takes that expects a whole model. Whoever has the
//! plan and its first part is the head: it asks the others, in binary messages that only they and
//! it understand, and puts together what they answer ([`Model::assemble`](crate::Model::assemble)).
//! How messages get to another part is the caller's business ([`Elsewhere`]).
//!
//! Cut by layers, a part has some of the layers, and answers are those of the whole model to the
//! last bit. Cut by columns, layers go in pairs, as in Megatron-LM (arXiv:1909.08053): of the first
//! a part has some of the units, of the second what follows from those, and one exchange adds up
//! the sums of both layers. Sums are then added in another order.

mod cut;
mod exchange;
mod head;
mod part;
mod plan;
mod segment;

pub use cut::{Cut, PARTS_MAX, Slice};
pub(crate) use head::Split;
pub use head::{Awaited, Elsewhere};
pub use part::{PART_KEY, Part, PartManifest, SegmentManifest};
pub use plan::{PLAN_BYTES_MAX, PLAN_FILE, Plan, part_file};
pub use segment::RunningPart;
