//! Linear models of classical machine learning: networks of one layer.

use safetensors::tensor::{Dtype, TensorView, serialize};
use sealgate_model_import::{Activation, Head, ImportError, Network, Source, Why, read};

use super::fixture::import;
use super::proto::{Model, Told};

fn classifier(coefficients: &[f32], end: &str, inputs: u64) -> Model {
    let told = [
        ("classlabels_ints", Told::Ints(&[3, 5])),
        ("coefficients", Told::Floats(coefficients)),
        ("intercepts", Told::Floats(&[-0.5, 0.5])),
        ("post_transform", Told::Text(end)),
    ];
    Model::new(inputs).told("ai.onnx.ml:LinearClassifier", &["x"], "label y", &told)
}

fn taken(model: &Model) -> Network {
    read(&Source::of(&model.file())).unwrap_or_else(|error| panic!("{error}"))
}

fn why(model: &Model) -> Why {
    match read(&Source::of(&model.file())) {
        Err(ImportError::Node { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_linear_model_is_one_layer_behind_its_scaler() {
    for (file, units, activation, head) in [
        ("sklearn_logistic.onnx", 1, Activation::Sigmoid, Head::Binary),
        ("sklearn_logistic_zipmap.onnx", 1, Activation::Sigmoid, Head::Binary),
        ("sklearn_logistic_three.onnx", 3, Activation::Softmax, Head::Multiclass),
        ("sklearn_linear.onnx", 1, Activation::Linear, Head::Regression),
        ("sklearn_linear_two.onnx", 2, Activation::Linear, Head::Regression),
    ] {
        let network = import(file, None).unwrap();
        let [layer] = &network.layers[..] else { panic!("{file}: {}", network.layers.len()) };
        let found = (layer.units(), layer.activation, network.head);
        assert_eq!(found, (units, activation, head), "{file}");
        assert!(network.standardisation.is_some(), "{file}");
    }
}

#[test]
fn a_linear_model_keeps_the_names_of_its_classes() {
    let names = |file| import(file, None).unwrap().classes.unwrap_or_default();
    assert_eq!(names("sklearn_logistic.onnx"), ["0", "1"]);
    assert_eq!(names("sklearn_logistic_zipmap.onnx"), ["0", "1"]);
    assert_eq!(names("sklearn_logistic_three.onnx"), ["amber", "green", "red"]);
}

#[test]
fn a_sum_and_its_negative_are_one_probability() {
    let network = taken(&classifier(&[-1.0, 2.0, 1.0, -2.0], "LOGISTIC", 2));
    assert_eq!((network.head, network.layers[0].units()), (Head::Binary, 1));
    assert_eq!(
        (&network.layers[0].weight[..], &network.layers[0].bias[..]),
        (&[1.0, -2.0][..], &[0.5][..])
    );
}

#[test]
fn two_sums_of_their_own_are_two_labels() {
    let network = taken(&classifier(&[-1.0, 2.0, 1.0, 7.0], "LOGISTIC", 2));
    assert_eq!((network.head, network.layers[0].units()), (Head::Multilabel, 2));
    assert_eq!(network.layers[0].weight, [-1.0, 1.0, 2.0, 7.0]);
}

#[test]
fn a_linear_model_with_numbers_missing_or_too_many_is_refused() {
    for coefficients in [&[][..], &[1.0], &[1.0, 2.0, 3.0], &[1.0; 6]] {
        let refused = why(&classifier(coefficients, "LOGISTIC", 2));
        let fits = matches!(refused, Why::Shape | Why::Width { expected: 3, found: 2 });
        assert!(fits, "{coefficients:?}: {refused}");
    }
    for targets in [-1, 0, 3] {
        let told = [("coefficients", Told::Floats(&[1.0, 2.0])), ("targets", Told::Int(targets))];
        let model = Model::new(2).told("ai.onnx.ml:LinearRegressor", &["x"], "y", &told);
        assert_eq!(why(&model), Why::Shape, "{targets}");
    }
}

#[test]
fn an_end_that_no_layer_has_is_refused() {
    for end in ["PROBIT", "SOFTMAX_ZERO", "else"] {
        let refused = why(&classifier(&[-1.0, 2.0, 1.0, -2.0], end, 2));
        assert!(matches!(refused, Why::Variant(_)), "{end}: {refused}");
    }
}

#[test]
fn labels_are_not_taken_for_scores() {
    let told = [
        ("classlabels_ints", Told::Ints(&[3, 5])),
        ("coefficients", Told::Floats(&[-1.0, 1.0])),
        ("intercepts", Told::Floats(&[-0.5, 0.5])),
    ];
    let model = Model::new(1)
        .told("ai.onnx.ml:LinearClassifier", &["x"], "label scores", &told)
        .tensor("w", &[1, 1], &[2.0])
        .node("MatMul", &["label", "w"], "y");
    assert_eq!(why(&model), Why::Unknown);
}

#[test]
fn only_probabilities_by_softmax_are_normalised_already() {
    let norm = [("norm", Told::Text("L1"))];
    let told = [
        ("classlabels_ints", Told::Ints(&[3, 5])),
        ("coefficients", Told::Floats(&[-1.0, 2.0, 1.0, -2.0])),
        ("intercepts", Told::Floats(&[-0.5, 0.5])),
        ("post_transform", Told::Text("SOFTMAX")),
    ];
    let softmax = Model::new(2).told("ai.onnx.ml:LinearClassifier", &["x"], "label p", &told).told(
        "ai.onnx.ml:Normalizer",
        &["p"],
        "y",
        &norm,
    );
    assert_eq!(taken(&softmax).head, Head::Binary);
    let logistic = Model::new(2)
        .tensor("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
        .node("MatMul", &["x", "w"], "m")
        .node("Sigmoid", &["m"], "p")
        .told("ai.onnx.ml:Normalizer", &["p"], "y", &norm);
    assert!(matches!(why(&logistic), Why::Variant(_)));
}

#[test]
fn one_linear_module_of_pytorch_is_a_network_of_one_layer() {
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (weight, bias) = (bytes(&[2.0, -3.0]), bytes(&[0.5]));
    // Of a Sequential, and of a bare Linear.
    for prefix in ["0.", ""] {
        let tensors = [
            (format!("{prefix}weight"), TensorView::new(Dtype::F32, vec![1, 2], &weight).unwrap()),
            (format!("{prefix}bias"), TensorView::new(Dtype::F32, vec![1], &bias).unwrap()),
        ];
        let file = serialize(tensors, None).unwrap();
        let mut source = Source::of(&file);
        source.architecture = Some("sigmoid");
        let network = read(&source).unwrap();
        assert_eq!((network.head, network.layers.len()), (Head::Binary, 1));
        assert_eq!(network.layers[0].weight, [2.0, -3.0]);
    }
}
