use sealgate_keys::grpc::{Fields, Names, SERVICE_PATH};
use sealgate_worker::protocol::Route;

/// A message of gRPC as it comes from a client: which model the gateway decides about, and which the
/// worker takes it to be about.
///
/// # Panics
/// When a message names a model that the worker does not take for its own, or one more name beside
/// it is believed, or a version that is put into it is not the one that is read.
pub fn grpc_names(input: &[u8]) {
    assert!(Fields(input).count() <= input.len(), "each field takes a byte at least");
    let path = format!("{SERVICE_PATH}ModelReady");
    let route = Route::parse("POST", &path).expect("a method of the service");
    let Ok(Names { model, version }) = Names::scan(input) else {
        assert!(
            route.agree(input, "triage", "3").is_err(),
            "the worker reads what the gateway does"
        );
        return;
    };
    assert!(!model.is_empty() && version != Some(""), "a name is no empty text");
    let granted = version.unwrap_or("3");
    assert!(route.agree(input, model, granted).is_ok(), "both read the same names");
    assert!(route.agree(input, &format!("{model}."), granted).is_err(), "and no other model");
    if version.is_some() {
        assert!(route.agree(input, model, &format!("{granted}.")).is_err(), "or version");
    }

    let again = [input, &[0x0a, 1, b'm']].concat();
    assert!(Names::scan(&again).is_err(), "of two names neither is believed");
    assert!(Names::scan(&[input, &[0xff]].concat()).is_err(), "nor a message that breaks off");

    let named = Names::with_version(input, "2026-11").expect("a message of one version");
    let expected = Names { model, version: Some("2026-11") };
    assert_eq!(Names::scan(&named), Ok(expected), "it has the version that was put into it");
    assert!(others(&named).eq(others(input)), "and is otherwise the same");
}

fn others(message: &[u8]) -> impl Iterator<Item = impl PartialEq> {
    Fields(message).flatten().filter(|(number, _)| *number != 2)
}
