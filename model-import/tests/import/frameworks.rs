//! What other frameworks wrote answers as it did there.

use sealgate_model_import::{Activation, Format, Head, Network, Source, outside_file, read};

use super::fixture::{ALL, bytes, difference, import, rows};
use super::proto::{Model, Told};

fn network(file: &str) -> Network {
    import(file, None).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Units and activation of each layer.
fn layers(network: &Network) -> Vec<(usize, Activation)> {
    network.layers.iter().map(|layer| (layer.units(), layer.activation)).collect()
}

#[test]
fn every_file_answers_as_its_framework_did() {
    for (file, words, answers) in ALL {
        let network = import(file, words).unwrap_or_else(|error| panic!("{file}: {error}"));
        let [inputs, outputs] = rows(answers);
        let apart = difference(&network, &inputs, &outputs);
        assert!(apart <= 1e-5, "{file}: {apart:e}");
    }
}

#[test]
fn the_comparison_sees_a_wrong_weight() {
    for (file, words, answers) in ALL {
        let mut network = import(file, words).unwrap();
        let [inputs, outputs] = rows(answers);
        network.layers.iter_mut().for_each(|layer| layer.bias[0] += 0.01);
        assert!(difference(&network, &inputs, &outputs) > 1e-5, "{file}");
    }
}

#[test]
fn a_scaler_in_front_is_the_standardisation() {
    for file in ["sklearn_binary_zipmap.onnx", "sklearn_binary.onnx", "keras_binary.tflite"] {
        let network = network(file);
        let fit = network.standardisation.expect(file);
        // The columns of the rows are of very different size.
        assert!(fit.std.iter().any(|std| *std > 50.0), "{file}");
        assert_eq!(network.layers.len(), 3, "{file}");
    }
}

#[test]
fn two_classes_answer_one_probability() {
    for file in ["sklearn_binary.onnx", "sklearn_binary_zipmap.onnx", "pytorch_binary_dynamo.onnx"]
    {
        let network = network(file);
        assert_eq!((network.head, network.outputs()), (Head::Binary, 1), "{file}");
    }
}

#[test]
fn a_softmax_of_two_classes_becomes_one_sigmoid() {
    for file in ["pytorch_norm_first_dynamo.onnx", "pytorch_norm_first_legacy.onnx"] {
        let network = network(file);
        assert_eq!(network.head, Head::Binary, "{file}");
        assert_eq!(layers(&network), [(12, Activation::Relu), (1, Activation::Sigmoid)], "{file}");
    }
}

#[test]
fn a_batch_norm_is_folded_wherever_it_stands() {
    let legacy = network("pytorch_binary_legacy.onnx");
    let leaky = Activation::LeakyRelu { alpha: 0.05 };
    let expected = [(12, Activation::Relu), (5, leaky), (1, Activation::Sigmoid)];
    assert_eq!(layers(&legacy), expected);
    // The dynamo exporter has folded it already.
    assert_eq!(layers(&network("pytorch_binary_dynamo.onnx")), expected);
}

#[test]
fn every_spelling_of_an_activation_is_the_same_one() {
    let expected = [
        (8, Activation::Gelu),
        (8, Activation::Elu { alpha: 0.7 }),
        (8, Activation::Selu),
        (8, Activation::GeluTanh),
        (4, Activation::Softmax),
    ];
    for exporter in ["dynamo", "legacy", "opset17"] {
        let file = format!("pytorch_curves_{exporter}.onnx");
        assert_eq!(layers(&network(&file)), expected, "{file}");
    }
    let keras = network("keras_curves.tflite");
    assert_eq!(layers(&keras)[3].1, Activation::Selu, "of seven operators");
}

#[test]
fn classes_have_the_names_that_the_file_gives_them() {
    let names = |file| network(file).classes;
    let expected = Some(["amber", "green", "red"].map(str::to_owned).to_vec());
    assert_eq!(names("sklearn_multiclass.onnx"), expected);
    assert_eq!(names("sklearn_multiclass_zipmap.onnx"), expected);
    assert_eq!(names("sklearn_binary.onnx"), Some(["0", "1"].map(str::to_owned).to_vec()));
    assert_eq!(names("pytorch_curves_dynamo.onnx"), None);
}

#[test]
fn the_kind_of_answer_is_seen_by_the_last_layer() {
    for (file, head) in [
        ("sklearn_multiclass.onnx", Head::Multiclass),
        ("sklearn_multilabel.onnx", Head::Multilabel),
        ("sklearn_regressor.onnx", Head::Regression),
        ("keras_int8.tflite", Head::Binary),
        ("keras_grid.tflite", Head::Regression),
    ] {
        assert_eq!(network(file).head, head, "{file}");
    }
}

#[test]
fn formats_and_their_writers_are_told_apart() {
    let onnx = network("pytorch_binary_legacy.onnx");
    assert_eq!((onnx.format, onnx.producer.as_str()), (Format::Onnx, "pytorch 2.15.0"));
    let tflite = network("keras_binary.tflite");
    assert_eq!((tflite.format, tflite.producer.as_str()), (Format::Tflite, "MLIR Converted."));
}

#[test]
fn a_file_that_rounds_activations_is_imported_and_said_to() {
    let rounded = network("keras_rounded.tflite");
    assert!(rounded.rounds_activations);
    assert_eq!(rounded.layers.len(), 3);
    assert!(!network("keras_int8.tflite").rounds_activations);
}

#[test]
fn the_file_with_the_weights_is_named() {
    let name = outside_file(&bytes("pytorch_outside.onnx")).unwrap();
    assert_eq!(name.as_deref(), Some("pytorch_outside.onnx.data"));
    assert_eq!(outside_file(&bytes("pytorch_binary_dynamo.onnx")).unwrap(), None);
    assert_eq!(outside_file(&bytes("keras_binary.tflite")).unwrap(), None);
}

#[test]
fn inputs_side_by_side_are_named_features() {
    let columns = |second: &str| {
        Model::default()
            .input("age", 1)
            .input("dose", 1)
            .output("y")
            .tensor("w", &[2, 1], &[1.0, 2.0])
            .node("Identity", &["age"], "a")
            .told("Concat", &["a", second], "x", &[("axis", Told::Int(1))])
            .node("MatMul", &["x", "w"], "y")
    };
    let network = read(&Source::of(&columns("dose").file())).unwrap();
    assert_eq!(network.features, Some(vec!["age".to_owned(), "dose".to_owned()]));
    assert!(read(&Source::of(&columns("age").file())).is_err(), "each of them once");
}

#[test]
fn each_part_of_gemm_counts() {
    let told = [("alpha", Told::Float(2.0)), ("beta", Told::Float(3.0)), ("transB", Told::Int(1))];
    let model = Model::new(2).tensor("w", &[1, 2], &[5.0, 7.0]).tensor("c", &[1], &[11.0]).told(
        "Gemm",
        &["x", "w", "c"],
        "y",
        &told,
    );
    let network = read(&Source::of(&model.file())).unwrap();
    assert_eq!(
        (&network.layers[0].weight[..], &network.layers[0].bias[..]),
        (&[10.0, 14.0][..], &[33.0][..])
    );
}

#[test]
fn a_scaler_of_the_classical_set_takes_off_and_multiplies() {
    let told = [("offset", Told::Floats(&[10.0, 20.0])), ("scale", Told::Floats(&[0.5, 0.25]))];
    let model = Model::new(2)
        .tensor("w", &[2, 1], &[1.0, 1.0])
        .told("ai.onnx.ml:Scaler", &["x"], "s", &told)
        .node("MatMul", &["s", "w"], "y");
    let fit = read(&Source::of(&model.file())).unwrap().standardisation.unwrap();
    assert_eq!((&fit.mean[..], &fit.std[..]), (&[10.0, 20.0][..], &[2.0, 4.0][..]));
}

#[test]
fn an_activation_written_out_behind_a_sum_ends_at_the_sum() {
    let model = Model::new(1)
        .tensor("w", &[1, 2], &[1.0, 2.0])
        .tensor("b", &[2], &[0.5, 0.25])
        .tensor("root", &[], &[std::f32::consts::SQRT_2])
        .tensor("one", &[], &[1.0])
        .tensor("half", &[], &[0.5])
        .node("MatMul", &["x", "w"], "m")
        .node("Add", &["m", "b"], "a")
        .node("Div", &["a", "root"], "d")
        .node("Erf", &["d"], "e")
        .node("Add", &["e", "one"], "p")
        .node("Mul", &["a", "p"], "q")
        .node("Mul", &["q", "half"], "y");
    let network = read(&Source::of(&model.file())).unwrap();
    assert_eq!(network.layers[0].activation, Activation::Gelu);
    assert_eq!(network.layers[0].bias, [0.5, 0.25]);
}

/// Columns of `x`, taken in two groups, the second multiplied by ten, and joined.
fn groups(first: &[i64], second: &[i64]) -> Model {
    Model::new(3)
        .integers("i", &[first.len() as u64], first)
        .integers("j", &[second.len() as u64], second)
        .tensor("ten", &[1], &[10.0])
        .tensor("w", &[3, 1], &[1.0, 2.0, 3.0])
        .node("ai.onnx.ml:ArrayFeatureExtractor", &["x", "i"], "a")
        .node("ai.onnx.ml:ArrayFeatureExtractor", &["x", "j"], "b")
        .node("Mul", &["b", "ten"], "c")
        .told("Concat", &["a", "c"], "d", &[("axis", Told::Int(1))])
        .node("MatMul", &["d", "w"], "y")
}

#[test]
fn columns_that_are_scaled_in_groups_are_one_standardisation() {
    let network = read(&Source::of(&groups(&[0], &[1, 2]).file())).unwrap();
    let fit = network.standardisation.unwrap();
    assert_eq!(fit.std, [1.0, 0.1, 0.1]);
    assert_eq!(network.layers.len(), 1);
}

#[test]
fn columns_that_change_places_are_multiplied_out() {
    let network = read(&Source::of(&groups(&[2], &[0, 2]).file())).unwrap();
    // x2 + 2 (10 x0) + 3 (10 x2)
    assert_eq!(network.layers[0].weight, [20.0, 0.0, 31.0]);
    assert_eq!(network.standardisation, None);
}

#[test]
fn columns_that_are_not_there_are_refused() {
    for bad in [3, -1, i64::MAX] {
        assert!(read(&Source::of(&groups(&[0], &[1, bad]).file())).is_err(), "{bad}");
    }
}
