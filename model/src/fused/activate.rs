//! Activations, a vector at a time, within 1e-6 of their formulas.
//!
//! What is not a number stays so through all of them: a row that overflowed must not come out as
//! a score.

use pulp::{Simd, WithSimd};

use crate::Activation;

/// An activation of many values.
pub(super) struct Activate<'a> {
    pub(super) activation: Activation,
    /// As many as whole vectors hold.
    pub(super) values: &'a mut [f32],
}

impl WithSimd for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let values = S::as_mut_simd_f32s(self.values).0;
        match self.activation {
            // Softmax looks at a whole row, see there; the first two are done where the sums are.
            Activation::Linear | Activation::Relu | Activation::Softmax => {}
            Activation::LeakyRelu { alpha } => {
                each(
                    values,
                    #[inline(always)]
                    |x| below_zero(simd, x, scaled(simd, x, alpha), x),
                );
            }
            Activation::Elu { alpha } => {
                each(
                    values,
                    #[inline(always)]
                    |x| elu(simd, x, alpha),
                );
            }
            Activation::Selu => {
                let gamma = SELU_GAMMA;
                each(
                    values,
                    #[inline(always)]
                    |x| scaled(simd, elu(simd, x, SELU_ALPHA), gamma),
                );
            }
            Activation::Gelu => each(
                values,
                #[inline(always)]
                |x| gelu(simd, x),
            ),
            Activation::GeluTanh => each(
                values,
                #[inline(always)]
                |x| gelu_tanh(simd, x),
            ),
            Activation::Sigmoid => each(
                values,
                #[inline(always)]
                |x| sigmoid(simd, x),
            ),
            Activation::Tanh => each(
                values,
                #[inline(always)]
                |x| tanh(simd, x),
            ),
        }
    }
}

/// The larger of `x` and zero. In this order: the instruction answers its second operand where
/// either is not a number.
#[inline(always)]
pub(super) fn relu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.max_f32s(simd.splat_f32s(0.0), x)
}

/// Softmax of many rows.
pub(super) struct Softmax<'a> {
    /// Row by row, as many as whole vectors hold; what is behind a row's units becomes anything.
    pub(super) values: &'a mut [f32],
    /// Values from one row to the next.
    pub(super) stride: usize,
    pub(super) units: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    /// The largest is taken off first, so that no exponential overflows.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.values.chunks_exact_mut(self.stride) {
            let values = row.get(..self.units).unwrap_or_default();
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let largest = simd.splat_f32s(largest);
            each(
                S::as_mut_simd_f32s(row).0,
                #[inline(always)]
                |x| exp(simd, simd.sub_f32s(x, largest)),
            );
            let values = row.get_mut(..self.units).unwrap_or_default();
            let all: f64 = values.iter().copied().map(f64::from).sum();
            let share = all.recip() as f32;
            for value in values {
                *value *= share;
            }
        }
    }
}

#[inline(always)]
fn each<V: Copy>(values: &mut [V], to: impl Fn(V) -> V) {
    for value in values {
        *value = to(*value);
    }
}

#[inline(always)]
fn scaled<S: Simd>(simd: S, x: S::f32s, by: f32) -> S::f32s {
    simd.mul_f32s(x, simd.splat_f32s(by))
}

/// `then` where `x` is negative.
#[inline(always)]
fn below_zero<S: Simd>(simd: S, x: S::f32s, then: S::f32s, otherwise: S::f32s) -> S::f32s {
    simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(0.0)), then, otherwise)
}

#[inline(always)]
fn elu<S: Simd>(simd: S, x: S::f32s, alpha: f32) -> S::f32s {
    let below = simd.sub_f32s(exp(simd, x), simd.splat_f32s(1.0));
    below_zero(simd, x, scaled(simd, below, alpha), x)
}

#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// Far from zero `1 - 2 / (exp(2 |x|) + 1)`; near it that loses digits, and an odd polynomial is
/// taken.
#[inline(always)]
fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (one, two) = (simd.splat_f32s(1.0), simd.splat_f32s(2.0));
    let size = simd.abs_f32s(x);
    let exp = exp(simd, simd.mul_f32s(two, size));
    let far = simd.sub_f32s(one, simd.div_f32s(two, simd.add_f32s(exp, one)));
    let far = below_zero(simd, x, simd.neg_f32s(far), far);
    let square = simd.mul_f32s(x, x);
    let near = simd.mul_f32s(polynomial(simd, square, &TANH), square);
    let near = simd.mul_add_f32s(near, x, x);
    simd.select_f32s(simd.less_than_f32s(size, simd.splat_f32s(TANH_NEAR)), near, far)
}

/// `1 + tanh(y)` is `2 sigmoid(2 y)`.
#[inline(always)]
fn gelu_tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let cube = simd.mul_f32s(simd.mul_f32s(x, x), x);
    let inner = simd.mul_add_f32s(cube, simd.splat_f32s(0.044_715), x);
    simd.mul_f32s(x, sigmoid(simd, scaled(simd, inner, TWICE_ROOT_2_OVER_PI)))
}

/// With the complementary error function after Abramowitz and Stegun, 7.1.26: for `z >= 0`,
/// `exp(-z^2)` times a polynomial in `t = 1 / (1 + p z)`, within 1.5e-7.
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let z = scaled(simd, simd.abs_f32s(x), std::f32::consts::FRAC_1_SQRT_2);
    let t = simd.div_f32s(one, simd.mul_add_f32s(z, simd.splat_f32s(ERFC_P), one));
    let tail = simd.mul_f32s(polynomial(simd, t, &ERFC), t);
    let tail = simd.mul_f32s(tail, exp(simd, simd.neg_f32s(simd.mul_f32s(z, z))));
    let half = scaled(simd, tail, 0.5);
    simd.mul_f32s(x, below_zero(simd, x, half, simd.sub_f32s(one, half)))
}

/// `exp(x)` as `2^n exp(r)`, `n` whole and `r` at most half of ln 2, where seven terms of the
/// series are exact to 5e-9. Beyond the ends of the normal numbers it stays at the ends.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (low, high) = (simd.splat_f32s(EXP_ENDS[0]), simd.splat_f32s(EXP_ENDS[1]));
    let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    let x = simd.select_f32s(simd.less_than_f32s(high, x), high, x);
    let shift = simd.splat_f32s(TO_WHOLE);
    let shifted = simd.mul_add_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), shift);
    let n = simd.sub_f32s(shifted, shift);
    // ln 2 in two parts, the first with so few digits that its product with n is exact.
    let r = simd.mul_add_f32s(n, simd.splat_f32s(-LN_2[0]), x);
    let r = simd.mul_add_f32s(n, simd.splat_f32s(-LN_2[1]), r);
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    // Multiplied and not added to the exponent: what is not a number stays so.
    simd.mul_f32s(polynomial(simd, r, &EXP), simd.transmute_f32s_u32s(power))
}

/// Horner's scheme, the highest coefficient first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(0.0);
    for &coefficient in coefficients {
        sum = simd.mul_add_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// Between them `exp` is a normal number.
const EXP_ENDS: [f32; 2] = [-87.3, 88.3];
/// 1.5 x 2^23: a number to which this is added has no digits behind the point left, and its whole
/// part in two's complement in the lowest bits.
const TO_WHOLE: f32 = 12_582_912.0;
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// One over the factorials.
const EXP: [f32; 8] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
const TANH_NEAR: f32 = 0.625;
/// `(tanh(x) / x - 1) / x^2` in powers of `x^2`, fitted so that the largest error is least, 2e-8.
const TANH: [f32; 5] = [-0.005591012, 0.020538816, -0.053709656, 0.13331093, -0.3333327];
const ERFC_P: f32 = 0.327_591_1;
const ERFC: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
const TWICE_ROOT_2_OVER_PI: f32 = 1.595_769;
const SELU_ALPHA: f32 = 1.673_263_2;
const SELU_GAMMA: f32 = 1.050_701;
