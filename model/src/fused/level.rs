//! Which vector instructions there are.

use pulp::{Simd, WithSimd};

/// Instructions that this machine was found to have.
#[derive(Clone, Copy)]
pub(super) enum Level {
    /// AVX-512: 16 values at a time, 32 registers.
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
    /// AVX2 and FMA: 8 values at a time, 16 registers.
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
}

impl Level {
    /// The widest.
    pub(super) fn best() -> Option<Self> {
        Self::all().into_iter().next()
    }

    /// Every one that this machine has, the widest first.
    pub(super) fn all() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let found =
            [pulp::x86::V4::try_new().map(Self::V4), pulp::x86::V3::try_new().map(Self::V3)];
        #[cfg(not(target_arch = "x86_64"))]
        let found: [Option<Self>; 0] = [];
        found.into_iter().flatten().collect()
    }

    /// How many values an instruction takes.
    pub(super) const fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4(_) => 16,
            #[cfg(target_arch = "x86_64")]
            Self::V3(_) => 8,
        }
    }

    /// How many rows a block has at most: their sums fill the registers.
    pub(super) const fn rows_max(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4(_) => 12,
            #[cfg(target_arch = "x86_64")]
            Self::V3(_) => 6,
        }
    }

    /// Runs `work` compiled for these instructions.
    pub(super) fn run<W: WithSimd>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4(simd) => Simd::vectorize(simd, work),
            #[cfg(target_arch = "x86_64")]
            Self::V3(simd) => Simd::vectorize(simd, work),
        }
    }
}
