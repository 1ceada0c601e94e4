//! What cannot be represented is refused, by its name and with what to do.

use sealgate_model_import::{ImportError, Source, Why, read};

use super::fixture::bytes;
use super::proto::{Model, Told, bytes as field};

/// Two dense layers' stored tensors over two features, and what stands between is left open.
fn model() -> Model {
    Model::new(2)
        .tensor("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .tensor("v", &[3, 1], &[0.5, -0.5, 0.25])
        .node("MatMul", &["x", "w"], "h")
}

fn refused(model: &Model) -> ImportError {
    read(&Source::of(&model.file())).expect_err("must be refused")
}

/// The node that is named, and why.
fn node(model: &Model) -> (String, String, Why) {
    match refused(model) {
        ImportError::Node { node, op, why } => (node, op, why),
        other => panic!("{other}"),
    }
}

fn why(model: &Model) -> Why {
    node(model).2
}

#[test]
fn the_model_that_the_others_differ_from_is_imported() {
    let good = model().node("Relu", &["h"], "r").node("MatMul", &["r", "v"], "y");
    let network = read(&Source::of(&good.file())).unwrap();
    assert_eq!((network.inputs(), network.layers.len(), network.outputs()), (2, 2, 1));
}

#[test]
fn an_unknown_node_is_named_with_its_op() {
    let bad = model().node("Conv", &["h", "w"], "c").node("MatMul", &["c", "v"], "y");
    assert_eq!(node(&bad), ("the c".to_owned(), "Conv".to_owned(), Why::Unknown));
    let error = refused(&bad);
    assert_eq!(error.to_string(), "node `the c` (Conv) cannot be represented");
    assert!(error.hint().unwrap().contains("only dense layers"), "{:?}", error.hint());
}

#[test]
fn a_known_name_of_another_domain_is_unknown() {
    let bad = model().node("mine:Relu", &["h"], "r").node("MatMul", &["r", "v"], "y");
    assert_eq!(why(&bad), Why::Unknown);
}

#[test]
fn a_node_that_runs_nodes_is_unknown() {
    let told = [("body", Told::Graph)];
    let bad = model().told("Relu", &["h"], "r", &told).node("MatMul", &["r", "v"], "y");
    assert_eq!(why(&bad), Why::Unknown);
}

#[test]
fn a_residual_connection_is_refused() {
    let bad = model()
        .tensor("s", &[3, 3], &[1.0; 9])
        .node("MatMul", &["h", "s"], "k")
        .node("Add", &["h", "k"], "sum")
        .node("MatMul", &["sum", "v"], "y");
    assert_eq!(node(&bad), ("the sum".to_owned(), "Add".to_owned(), Why::Branches));
}

#[test]
fn an_activation_that_is_none_of_ours_is_refused() {
    let swish = model().node("Sigmoid", &["h"], "s").node("Mul", &["h", "s"], "swish").node(
        "MatMul",
        &["swish", "v"],
        "y",
    );
    assert_eq!(node(&swish), ("the swish".to_owned(), "Mul".to_owned(), Why::Branches));
    let bounded = model().node("Clip", &["h"], "c").node("MatMul", &["c", "v"], "y");
    assert_eq!(why(&bounded), Why::Unknown);
}

#[test]
fn a_product_of_two_computed_values_is_refused() {
    let bad = model().node("MatMul", &["h", "h"], "y");
    assert_eq!(why(&bad), Why::Stored("weight"));
}

#[test]
fn a_transposed_input_is_refused() {
    let bad = model().told("Gemm", &["h", "v"], "y", &[("transA", Told::Int(1))]);
    assert_eq!(why(&bad), Why::Variant("transA"));
}

#[test]
fn a_batch_norm_that_still_learns_is_refused() {
    let told = [("training_mode", Told::Int(1))];
    let bad = model().told("BatchNormalization", &["h", "v", "v", "v", "v"], "y", &told);
    assert_eq!(why(&bad), Why::Variant("training_mode"));
}

#[test]
fn a_softmax_is_only_possible_at_the_end() {
    let bad = model().node("Softmax", &["h"], "s").node("MatMul", &["s", "v"], "y");
    assert_eq!(node(&bad), ("the y".to_owned(), "MatMul".to_owned(), Why::AfterLast));
}

#[test]
fn a_softmax_over_the_rows_is_refused() {
    let bad = model().told("Softmax", &["h"], "y", &[("axis", Told::Int(0))]);
    assert_eq!(why(&bad), Why::Rows);
}

#[test]
fn a_reshape_that_mixes_rows_is_refused() {
    let bad = model()
        .integers("shape", &[2], &[-1, 6])
        .tensor("u", &[6, 1], &[1.0; 6])
        .node("Reshape", &["h", "shape"], "r")
        .node("MatMul", &["r", "u"], "y");
    assert_eq!(node(&bad), ("the r".to_owned(), "Reshape".to_owned(), Why::Rows));
}

#[test]
fn layers_that_do_not_fit_each_other_are_refused() {
    let bad = model().tensor("u", &[4, 1], &[1.0; 4]).node("MatMul", &["h", "u"], "y");
    assert_eq!(why(&bad), Why::Width { expected: 4, found: 3 });
}

#[test]
fn a_value_that_differs_row_by_row_is_refused() {
    let bad = model().tensor("c", &[3, 1], &[1.0; 3]).node("Add", &["h", "c"], "y");
    assert_eq!(why(&bad), Why::Shape);
}

#[test]
fn two_probabilities_that_are_not_of_one_value_are_refused() {
    let pair = |rest: &str| {
        model()
            .tensor("one", &[], &[1.0])
            .tensor("two", &[], &[2.0])
            .node("MatMul", &["h", "v"], "z")
            .node("Sigmoid", &["z"], "p")
            .node("Sub", &["one", "p"], "n")
            .node("Sub", &["two", "p"], "wrong")
            .node("Tanh", &["z"], "t")
            .node("Sub", &["one", "t"], "other")
            .told("Concat", &[rest, "p"], "y", &[("axis", Told::Int(1))])
    };
    let good = read(&Source::of(&pair("n").file())).unwrap();
    assert_eq!(good.outputs(), 1);
    for bad in ["wrong", "other", "p", "z"] {
        assert_eq!(why(&pair(bad)), Why::Branches, "{bad}");
    }
}

#[test]
fn a_model_with_two_answers_is_refused() {
    let bad = model().node("MatMul", &["h", "v"], "y").output("h");
    let error = refused(&bad);
    assert_eq!(error.to_string(), "the model has 2 answers, one is needed");
    assert!(error.hint().is_some());
}

#[test]
fn labels_alone_are_no_answer() {
    let bad = model().node("ArgMax", &["h"], "y");
    assert_eq!(refused(&bad).to_string(), "the model has 0 answers, one is needed");
}

#[test]
fn an_answer_that_depends_on_no_input_is_refused() {
    let bad = Model::new(2).tensor("c", &[1, 2], &[1.0; 2]).node("Relu", &["c"], "y");
    assert_eq!(refused(&bad).to_string(), "the model has 0 inputs, one is needed");
}

#[test]
fn an_answer_without_any_layer_is_refused() {
    assert!(read(&Source::of(&Model::default().input("y", 2).output("y").file())).is_err());
}

#[test]
fn weights_in_another_file_are_asked_for_by_its_name() {
    let file = bytes("pytorch_outside.onnx");
    let error = read(&Source::of(&file)).unwrap_err();
    assert!(matches!(&error, ImportError::Outside { file } if file == "pytorch_outside.onnx.data"));
    let mut source = Source::of(&file);
    source.outside = Some(&[0; 959]);
    assert!(read(&source).is_err(), "and it must be long enough");
}

#[test]
fn what_is_to_be_written_in_another_form_first_is_told_how() {
    for (begin, hint) in [
        (&b"\x89HDF\r\n\x1a\n...."[..], "TFLiteConverter"),
        (b"PK\x03\x04....metadata.json....model.weights.h5", "TFLiteConverter"),
        (b"PK\x03\x04....archive/data.pkl", "torch.onnx.export"),
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00", "skl2onnx"),
    ] {
        let error = read(&Source::of(begin)).unwrap_err();
        assert!(matches!(error, ImportError::Foreign { .. }), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error}");
    }
}

#[test]
fn what_is_nothing_is_told_so() {
    for nothing in [&b""[..], b"hello", b"<html>", &[0; 64]] {
        let refused = read(&Source::of(nothing));
        assert!(matches!(refused, Err(ImportError::UnknownFormat)));
    }
}

#[test]
fn words_that_do_not_fit_the_weights_are_refused() {
    let file = bytes("pytorch_sequential.safetensors");
    for (words, expected) in [
        (None, "the file is a list of weights, which does not say what is done between them"),
        (Some("relu, tanh"), "architecture `relu, tanh`: 2 layers are named, the file has 3"),
        (Some("relu, tanh, mish"), "architecture `relu, tanh, mish`: `mish` is unknown"),
        (
            Some("norm relu, tanh, softmax"),
            "architecture `norm relu, tanh, softmax`: no `norm` is there in the file",
        ),
        (Some("relu, softmax, linear"), "node `4` (Linear) stands after the last layer"),
    ] {
        let mut source = Source::of(&file);
        source.architecture = words;
        assert_eq!(read(&source).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_standard_operator_that_is_defined_anew_is_refused() {
    let function = |domain: &[u8]| {
        let mut file = model().node("MatMul", &["h", "v"], "y").file();
        file.extend(field(25, &[field(1, b"MatMul"), field(10, domain)].concat()));
        read(&Source::of(&file))
    };
    assert!(function(b"mine").is_ok());
    for domain in [&b""[..], b"ai.onnx", b"ai.onnx.ml"] {
        assert!(matches!(function(domain), Err(ImportError::Damaged { .. })));
    }
}

#[test]
fn a_shape_may_be_computed_of_the_number_of_rows_and_of_nothing_else() {
    let view = |size: i64, of: &str| {
        model()
            .integers("at", &[], &[size])
            .integers("rest", &[1], &[-1])
            .node("Shape", &[of], "s")
            .node("Gather", &["s", "at"], "g")
            .node("Unsqueeze", &["g"], "u")
            .told("Concat", &["u", "rest"], "shape", &[("axis", Told::Int(0))])
            .node("Reshape", &["h", "shape"], "flat")
            .node("MatMul", &["flat", "v"], "y")
    };
    for of in ["x", "h"] {
        assert!(read(&Source::of(&view(0, of).file())).is_ok(), "{of}");
    }
    assert_eq!(why(&view(1, "x")), Why::Stored("shape"));
    assert_eq!(why(&view(0, "v")), Why::Stored("shape"));
}
