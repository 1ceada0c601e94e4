//! Who computes: vector instructions where this machine has the kinds that are known here, else
//! the engine.

use burn::tensor::Device;

use crate::fused::Fused;
use crate::judge::{self, Judgement};
use crate::stack::Stack;
use crate::{ModelError, Network, Outputs, Rows};

/// Dense layers that compute. The engine is let go when it has judged, for it holds every weight
/// once more.
pub(crate) enum Path {
    Fused(Fused, Judgement),
    Engine(Network),
}

impl Path {
    /// Makes layers ready. The engine judges on rows from `ranges`, one for each value of a row.
    ///
    /// # Errors
    ///
    /// When the fused path and the engine do not agree.
    pub(crate) fn load(
        stack: Stack<'_>,
        ranges: &[[f64; 2]],
        device: &Device,
    ) -> Result<Self, ModelError> {
        let fused = Fused::load(&stack);
        let network = Network::of(stack, device);
        Ok(match fused {
            Some(fused) => {
                let judgement = judge::compare(ranges, &fused, &network)?;
                Self::Fused(fused, judgement)
            }
            None => Self::Engine(network),
        })
    }

    /// The answers, of `outputs` values each.
    ///
    /// # Errors
    ///
    /// When a value is too large to compute with, or when the engine fails.
    pub(crate) fn infer(&self, rows: &Rows, outputs: usize) -> Result<Outputs, ModelError> {
        match self {
            Self::Fused(fused, _) => Outputs::new(rows.count(), outputs, fused.infer(rows)?),
            Self::Engine(network) => network.infer(rows),
        }
    }

    /// What the engine said of the fused path; nothing where the engine itself answers.
    pub(crate) fn judgement(&self) -> Option<Judgement> {
        match self {
            Self::Fused(_, judgement) => Some(*judgement),
            Self::Engine(_) => None,
        }
    }
}
