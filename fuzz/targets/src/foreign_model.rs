use sealgate_model_import::{DEPTH_MAX, Network, Source, WIDTH_MAX, outside_file, read};

/// An ONNX model; behind the byte that it begins with in any case.
///
/// # Panics
/// When something is imported that is no network, or a file of weights is named that is not asked
/// for.
pub fn onnx(input: &[u8]) {
    let file = [&[0x08], input].concat();
    imported(&Source::of(&file));
    if outside_file(&file).is_ok_and(|name| name.is_some()) {
        let mut source = Source::of(&file);
        source.outside = Some(input);
        imported(&source);
    }
}

/// A TFLite model; behind the eight bytes that it begins with in any case.
///
/// # Panics
/// When something is imported that is no network.
pub fn tflite(input: &[u8]) {
    let file = match input.split_first_chunk::<4>() {
        Some((root, rest)) => [root, b"TFL3", rest].concat(),
        None => return,
    };
    imported(&Source::of(&file));
}

/// The weights of a PyTorch Sequential, behind the length of the words about them.
///
/// # Panics
/// When something is imported that is no network.
pub fn sequential(input: &[u8]) {
    let Some((&length, rest)) = input.split_first() else { return };
    let Some((words, file)) = rest.split_at_checked(length.into()) else { return };
    let words = String::from_utf8_lossy(words);
    let mut source = Source::of(file);
    source.architecture = Some(&words);
    imported(&source);
}

/// What an artifact relies on.
fn imported(source: &Source<'_>) {
    match read(source) {
        Ok(network) => well_formed(&network),
        Err(error) => {
            let said = error.to_string();
            assert!(!said.chars().any(char::is_control), "a terminal shows it: {said:?}");
        }
    }
}

fn well_formed(network: &Network) {
    assert!((1..=DEPTH_MAX).contains(&network.layers.len()), "a possible number of layers");
    let mut width = network.inputs();
    assert!((1..=WIDTH_MAX).contains(&width), "a possible number of features");
    if let Some(fit) = &network.standardisation {
        assert_eq!((fit.mean.len(), fit.std.len()), (width, width), "one of each for a feature");
        assert!(fit.mean.iter().all(|mean| mean.is_finite()), "finite means");
        assert!(fit.std.iter().all(|std| std.is_finite() && *std > 0.0), "deviations above zero");
    }
    for layer in &network.layers {
        assert_eq!((layer.inputs, layer.weight.len()), (width, width * layer.units()));
        assert!((1..=WIDTH_MAX).contains(&layer.units()), "a possible number of units");
        let values = layer.weight.iter().chain(&layer.bias);
        assert!(values.copied().all(f32::is_finite), "finite weights");
        width = layer.units();
    }
}
