//! Files that nobody's exporter wrote. Whatever they say, an import ends, and what it gives is a
//! network.

use proptest::prelude::*;
use sealgate_model_import::{DEPTH_MAX, ImportError, Network, Source, WIDTH_MAX, read};

use super::fixture::{ALL, bytes};
use super::proto::{Model, Told, bytes as field, number};

fn attempt(file: &[u8], words: Option<&str>) {
    let mut source = Source::of(file);
    source.architecture = words;
    match read(&source) {
        Ok(network) => well_formed(&network),
        Err(error) => {
            let said = format!("{error} {:?}", error.hint());
            assert!(!error.to_string().chars().any(|c| c.is_control()), "{said}");
        }
    }
}

fn well_formed(network: &Network) {
    assert!((1..=DEPTH_MAX).contains(&network.layers.len()));
    let mut width = network.inputs();
    if let Some(fit) = &network.standardisation {
        assert_eq!((fit.mean.len(), fit.std.len()), (width, width));
        assert!(fit.mean.iter().all(|mean| mean.is_finite()));
        assert!(fit.std.iter().all(|std| std.is_finite() && *std > 0.0));
    }
    for layer in &network.layers {
        assert_eq!((layer.inputs, layer.weight.len()), (width, width * layer.units()));
        assert!((1..=WIDTH_MAX).contains(&layer.units()));
        assert!(layer.weight.iter().chain(&layer.bias).all(|value| value.is_finite()));
        width = layer.units();
    }
}

fn error(model: &Model) -> String {
    read(&Source::of(&model.file())).expect_err("must be refused").to_string()
}

#[test]
fn a_file_with_a_changed_byte_is_refused_or_still_a_network() {
    for (name, words, _) in ALL {
        let good = bytes(name);
        for at in 0..good.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= change;
                attempt(&bad, words);
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_is_refused_or_still_a_network() {
    for (name, words, _) in ALL {
        let good = bytes(name);
        for length in 0..good.len() {
            attempt(&good[..length], words);
        }
    }
}

proptest! {
    #[test]
    fn a_good_beginning_with_any_end_is_refused_or_a_network(
        which in 0..ALL.len(),
        keep in 0.0..1.0_f64,
        rest in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (name, words, _) = ALL[which];
        let mut file = bytes(name);
        file.truncate((file.len() as f64 * keep) as usize);
        file.extend(rest);
        attempt(&file, words);
    }

    #[test]
    fn a_file_with_any_four_bytes_is_refused_or_a_network(
        which in 0..ALL.len(),
        place in 0.0..1.0_f64,
        word in prop_oneof![any::<u32>(), Just(u32::MAX), Just(1 << 31), Just(0), 0..64_u32],
    ) {
        let (name, words, _) = ALL[which];
        let mut file = bytes(name);
        let at = ((file.len() - 4) as f64 * place) as usize;
        file[at..at + 4].copy_from_slice(&word.to_le_bytes());
        attempt(&file, words);
    }
}

#[test]
fn a_shape_is_not_believed() {
    for shape in
        [&[1 << 31, 1][..], &[1 << 31, 1 << 31], &[u64::MAX, 1], &[1 << 20, 1 << 7], &[2, 4]]
    {
        let bad = Model::new(2).tensor("w", shape, &[1.0; 6]).node("MatMul", &["x", "w"], "y");
        let said = error(&bad);
        let expected = ["has not as many bytes", "larger than any", "below zero", "stored numbers"];
        assert!(expected.iter().any(|expected| said.contains(expected)), "{said}");
    }
}

#[test]
fn a_shape_of_many_dimensions_is_refused() {
    let bad = Model::new(2).tensor("w", &[1; 9], &[1.0]).node("MatMul", &["x", "w"], "y");
    assert!(error(&bad).contains("more than 8"), "{}", error(&bad));
}

#[test]
fn a_weight_that_is_no_number_is_refused() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let bad = Model::new(1).tensor("w", &[1, 1], &[value]).node("MatMul", &["x", "w"], "y");
        assert_eq!(error(&bad), "tensor `w` holds a value that is not a finite number");
    }
}

#[test]
fn weights_that_overflow_when_they_are_multiplied_out_are_refused() {
    let bad = Model::new(1).tensor("w", &[1, 1], &[1e38]).node("MatMul", &["x", "w"], "a").node(
        "MatMul",
        &["a", "w"],
        "y",
    );
    assert_eq!(error(&bad), "tensor `weight of layer 1` holds a value that 32 bits cannot");
}

#[test]
fn a_division_by_zero_is_refused() {
    let bad = Model::new(1).tensor("c", &[1], &[0.0]).node("Div", &["x", "c"], "y");
    assert_eq!(error(&bad), "node `the y` (Div) gives a weight that is not a finite number");
}

#[test]
fn a_circle_is_refused() {
    let bad =
        Model::new(1).node("Relu", &["b"], "a").node("Tanh", &["a"], "b").node("Relu", &["b"], "y");
    assert_eq!(error(&bad), "the file has more than 512 steps in a row");
}

#[test]
fn a_circle_of_what_should_be_an_activation_is_refused() {
    let bad = Model::new(1).node("Mul", &["a", "b"], "a").node("Add", &["a", "b"], "b").node(
        "Add",
        &["a", "b"],
        "y",
    );
    assert!(error(&bad).contains("joins branches"), "{}", error(&bad));
}

#[test]
fn a_value_with_two_origins_is_refused() {
    let twice = Model::new(1).node("Relu", &["x"], "y").node("Tanh", &["x"], "y");
    assert_eq!(error(&twice), "the ONNX file is damaged: two nodes give one value");
    let stored = Model::new(1).tensor("y", &[1], &[1.0]).node("Relu", &["x"], "y");
    assert_eq!(error(&stored), "the ONNX file is damaged: two nodes give one value");
    let tensors = Model::new(1).tensor("w", &[1], &[1.0]).tensor("w", &[1], &[2.0]);
    assert_eq!(error(&tensors), "the ONNX file is damaged: two tensors have one name");
    let input = Model::new(1).node("Relu", &["y"], "x");
    assert_eq!(error(&input), "the ONNX file is damaged: a node gives an input");
}

#[test]
fn a_layer_of_65_537_units_is_refused() {
    let units = 65_537;
    let wide = |units: usize| {
        Model::new(1).tensor("w", &[1, units as u64], &vec![1.0; units]).node(
            "MatMul",
            &["x", "w"],
            "y",
        )
    };
    assert_eq!(error(&wide(units)), "the file has more than 65536 units of a layer");
    assert!(read(&Source::of(&wide(units - 1).file())).is_ok());
}

#[test]
fn more_than_32_layers_are_refused() {
    let deep = |layers: usize| {
        let mut model = Model::new(1).tensor("w", &[1, 1], &[1.0]);
        let mut value = "x".to_owned();
        for at in 0..layers {
            model = model.node("MatMul", &[&value, "w"], &format!("m{at}"));
            value = format!("r{at}");
            model = model.node("Relu", &[&format!("m{at}")], &value);
        }
        model.node("Identity", &[&value], "y")
    };
    assert_eq!(read(&Source::of(&deep(32).file())).unwrap().layers.len(), 32);
    assert_eq!(error(&deep(33)), "the file has more than 32 layers");
}

#[test]
fn one_tensor_used_a_thousand_times_does_not_fill_the_memory() {
    let side = 2_048;
    let weight = vec![0.001; side * side];
    let mut model = Model::new(side as u64).tensor("w", &[side as u64, side as u64], &weight);
    let mut value = "x".to_owned();
    for at in 0..500 {
        let next = format!("m{at}");
        model = model.node("MatMul", &[&value, "w"], &next);
        value = next;
    }
    let bad = model.node("Relu", &[&value], "y");
    assert_eq!(error(&bad), "the file has more than 67108864 stored numbers");
}

#[test]
fn more_nodes_than_any_network_has_are_refused() {
    let mut graph = Model::new(1);
    for _ in 0..4_097 {
        graph = graph.with(&field(1, &[]));
    }
    assert!(error(&graph).contains("more than 4096"), "{}", error(&graph));
}

#[test]
fn more_attributes_than_any_node_has_are_refused() {
    let told: Vec<_> = (0..33).map(|_| ("alpha", Told::Float(1.0))).collect();
    let bad = Model::new(1).told("Relu", &["x"], "y", &told);
    assert!(error(&bad).contains("attributes"), "{}", error(&bad));
}

#[test]
fn two_graphs_are_refused() {
    let mut file = Model::new(1).node("Relu", &["x"], "y").file();
    file.extend(field(7, &[]));
    assert!(matches!(read(&Source::of(&file)), Err(ImportError::Damaged { .. })));
}

#[test]
fn weights_in_more_than_one_other_file_are_refused() {
    let place = |name: &str| {
        let entry = [field(1, b"location"), field(2, name.as_bytes())].concat();
        [field(13, &entry), number(14, 1)].concat()
    };
    let bad = Model::new(1).stored("w", &[0], 1, &place("a")).stored("v", &[0], 1, &place("b"));
    let mut source = Source::of(&[]);
    let file = bad.file();
    source.file = &file;
    source.outside = Some(&[]);
    let said = read(&source).unwrap_err().to_string();
    assert!(said.contains("more than one other file"), "{said}");
}

#[test]
fn a_terminal_is_not_written_to_by_a_name() {
    let bad = Model::new(1).node("\u{1b}[2J", &["x"], "y");
    assert!(!error(&bad).contains('\u{1b}'));
}

#[test]
fn one_large_tensor_as_a_thousand_rows_does_not_take_for_ever() {
    let size = 1 << 20;
    let mut model = Model::new(1).tensor("c", &[1, size], &vec![1.0; size as usize]);
    let mut value = "x".to_owned();
    for at in 0..500 {
        let next = format!("a{at}");
        model = model.node("Add", &[&value, "c"], &next);
        value = next;
    }
    let bad = model.node("Relu", &[&value], "y");
    assert_eq!(error(&bad), "the file has more than 65536 values in what stands for a row");
}

#[test]
fn tensors_that_share_the_bytes_of_another_file_are_paid_for() {
    let outside = vec![0; 4 << 20];
    let entry = [field(1, b"location"), field(2, b"a")].concat();
    let rest = [field(13, &entry), number(14, 1)].concat();
    let mut model = Model::new(1);
    for at in 0..65 {
        model = model.stored(&format!("w{at}"), &[1 << 20], 1, &rest);
    }
    let file = model.file();
    let mut source = Source::of(&file);
    source.outside = Some(&outside);
    let said = read(&source).unwrap_err().to_string();
    assert_eq!(said, "the file has more than 67108864 stored numbers");
}

#[test]
fn lists_of_two_bytes_each_do_not_fill_the_memory() {
    let texts = field(6, &[]).repeat(65_537);
    let bad = Model::new(1).stored("classes", &[65_537], 8, &texts);
    assert_eq!(error(&bad), "the file has more than 65536 values in a list");
    let told = vec![1.0; 65_537];
    let told = [("scale", Told::Floats(&told))];
    let bad = Model::new(1).told("ai.onnx.ml:Scaler", &["x"], "y", &told);
    assert_eq!(error(&bad), "the file has more than 65536 values in a list");
}
