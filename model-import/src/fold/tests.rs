#![expect(clippy::expect_used, reason = "a test may panic")]

use super::fold;
use crate::chain::{Chain, Kind, Layout, Step};
use crate::network::Activation;
use crate::tensor::Matrix;
use crate::{Format, Head, ImportError, Network};

fn folded(kinds: Vec<Kind>) -> Result<Network, ImportError> {
    let step = |kind| Step { kind, node: "n".to_owned(), op: "o".to_owned() };
    let chain = Chain {
        steps: kinds.into_iter().map(step).collect(),
        width: None,
        rows: None,
        features: None,
        classes: None,
        rounds_activations: false,
    };
    fold(chain, Format::Onnx, String::new())
}

fn well(kinds: Vec<Kind>) -> Network {
    folded(kinds).unwrap_or_else(|error| panic!("{error}"))
}

fn dense(inputs: usize, units: usize, values: &[f64]) -> Kind {
    let weight = Matrix { inputs, units, values: values.to_vec() };
    Kind::Dense { weight, bias: vec![0.0] }
}

fn scale(factor: &[f64], offset: &[f64]) -> Kind {
    Kind::Scale { factor: factor.to_vec(), offset: offset.to_vec() }
}

#[test]
fn two_affine_maps_become_one() {
    let network = well(vec![
        dense(1, 2, &[1.0, 2.0]),
        scale(&[1.0], &[1.0, 3.0]),
        dense(2, 1, &[10.0, 100.0]),
        scale(&[2.0], &[5.0]),
    ]);
    assert_eq!(network.layers.len(), 1);
    assert_eq!(network.layers[0].weight, [420.0]);
    assert_eq!(network.layers[0].bias, [625.0]);
}

#[test]
fn a_narrow_pair_of_maps_stays_two_layers() {
    // 50 x 1 and 1 x 50 are 100 parameters, their product would be 2,500.
    let network = well(vec![dense(50, 1, &[1.0; 50]), dense(1, 50, &[1.0; 50])]);
    let units: Vec<usize> = network.layers.iter().map(crate::Layer::units).collect();
    assert_eq!(units, [1, 50]);
    assert_eq!(network.layers[0].activation, Activation::Linear);
}

#[test]
fn a_positive_scale_in_front_is_the_standardisation() {
    let network = well(vec![scale(&[0.5, 4.0], &[-5.0, 4.0]), dense(2, 1, &[1.0, 1.0])]);
    let fit = network.standardisation.expect("a standardisation");
    assert_eq!((&fit.mean[..], &fit.std[..]), (&[10.0, -1.0][..], &[2.0, 0.25][..]));
    assert_eq!(network.layers[0].weight, [1.0, 1.0]);
}

#[test]
fn what_32_bits_lose_of_a_standardisation_goes_into_the_weights() {
    // Neither 1/3 nor the mean, 123456.789, is a 32-bit number.
    let network = well(vec![scale(&[3.0], &[-370_370.367]), dense(1, 1, &[1.0])]);
    let fit = network.standardisation.expect("a standardisation");
    let (mean, std) = (f64::from(fit.mean[0]), f64::from(fit.std[0]));
    let [weight, bias] = [network.layers[0].weight[0], network.layers[0].bias[0]].map(f64::from);
    for x in [123_450.0, 123_456.0, 123_460.0] {
        let (found, exact) = ((x - mean) / std * weight + bias, 3.0 * x - 370_370.367);
        assert!((found - exact).abs() < 1e-5, "{found} {exact}");
    }
}

#[test]
fn a_scale_that_turns_a_feature_around_is_folded() {
    let network = well(vec![scale(&[-0.5, 2.0], &[1.0, 3.0]), dense(2, 1, &[1.0, 10.0])]);
    assert_eq!(network.standardisation, None);
    assert_eq!(network.layers[0].weight, [-0.5, 20.0]);
    assert_eq!(network.layers[0].bias, [31.0]);
}

#[test]
fn a_scale_by_zero_is_folded() {
    let network = well(vec![scale(&[0.0, 1.0], &[3.0, 0.0]), dense(2, 1, &[2.0, 1.0])]);
    assert_eq!(network.standardisation, None);
    assert_eq!(network.layers[0].weight, [0.0, 1.0]);
    assert_eq!(network.layers[0].bias, [6.0]);
}

#[test]
fn a_scale_between_layers_is_folded_forwards() {
    let network = well(vec![
        dense(1, 2, &[1.0, 1.0]),
        Kind::Activation(Activation::Relu),
        scale(&[2.0, 3.0], &[1.0]),
        dense(2, 1, &[1.0, 10.0]),
    ]);
    assert_eq!(network.layers[1].weight, [2.0, 30.0]);
    assert_eq!(network.layers[1].bias, [11.0]);
}

#[test]
fn two_probabilities_become_the_second_one() {
    let softmax = Kind::Activation(Activation::Softmax);
    let network =
        well(vec![dense(2, 2, &[1.0, 5.0, 2.0, 7.0]), scale(&[1.0], &[0.5, 0.75]), softmax]);
    assert_eq!(network.head, Head::Binary);
    assert_eq!(network.layers[0].weight, [4.0, 5.0]);
    assert_eq!(network.layers[0].bias, [0.25]);
    assert_eq!(network.layers[0].activation, Activation::Sigmoid);
}

#[test]
fn an_activation_on_raw_values_stands_on_an_identity() {
    let network = well(vec![
        scale(&[2.0, 4.0], &[0.0]),
        Kind::Activation(Activation::Tanh),
        dense(2, 1, &[1.0, 1.0]),
    ]);
    assert_eq!(network.layers[0].weight, [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(network.layers[0].activation, Activation::Tanh);
}

#[test]
fn an_activation_of_unknown_width_is_refused() {
    let refused = folded(vec![Kind::Activation(Activation::Tanh), dense(2, 1, &[1.0, 1.0])]);
    assert!(refused.is_err());
}

#[test]
fn a_row_of_one_value_is_not_made_many() {
    let refused = folded(vec![dense(1, 1, &[1.0]), scale(&[1.0, 2.0], &[0.0])]);
    assert!(refused.is_err());
}

#[test]
fn a_vector_of_rows_is_no_longer_multiplied_by_a_matrix() {
    let squeeze = Kind::Layout(Layout::Squeeze);
    let one = || dense(1, 1, &[3.0]);
    assert!(folded(vec![one(), squeeze, one()]).is_err());
    let back = [Layout::Squeeze, Layout::Reshape(vec![-1, 1])].map(Kind::Layout);
    let [squeeze, back] = back;
    assert_eq!(well(vec![one(), squeeze, back, one()]).layers[0].weight, [9.0]);
}

#[test]
fn a_softmax_of_one_value_is_refused() {
    assert!(folded(vec![dense(1, 1, &[1.0]), Kind::Activation(Activation::Softmax)]).is_err());
}
