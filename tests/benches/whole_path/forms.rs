//! The same rows as JSON and as a binary tensor, through one gateway.

use std::time::Duration;

use sealgate_client::Body;

use crate::load::{Bodies, Load, Round};
use crate::setup::Setup;
use crate::{ROUNDS, print_rows};

/// One block of the table. Answers come in the form of the request.
pub fn compare(setup: &Setup, connections: usize, rows: usize, period: Duration) {
    let gateway = setup.gateway("forms", str::to_owned);
    let values: Vec<f32> = setup.rows(rows).iter().map(|value| *value as f32).collect();
    let tensor = Body::binary("x", [rows, values.len() / rows], &values).unwrap();
    let json_bytes = tensor.json_bytes();
    let forms = [(setup.body(rows), None), (tensor.into_bytes().to_vec(), json_bytes)];
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); forms.len()];
    for round in 0..=ROUNDS {
        for (kept, (body, json_bytes)) in rounds.iter_mut().zip(&forms) {
            let load = Load {
                connections,
                content_type: "application/octet-stream",
                json_bytes: *json_bytes,
                bodies: Bodies::same(body),
                rows,
                tokens: std::slice::from_ref(&setup.rs256_token),
                period,
            };
            let result = load.run(&gateway);
            if round > 0 {
                kept.push(result); // the first round warms up
            }
        }
    }
    let [json, binary] = forms.each_ref().map(|(body, _)| body.len());
    println!(
        "\n{connections} connections, {rows} rows: {json} bytes of JSON, {binary} with a tensor"
    );
    let targets = [("JSON", &gateway), ("binary tensor", &gateway)];
    print_rows(&rounds, &targets);
}
