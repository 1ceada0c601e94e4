//! Seals one row to a worker that an operator vouches for, and prints the score.
//!
//! `sealed URL CA.pem TOKEN OPERATOR-KEY-IN-BASE64 MODEL ROW.json`
#![expect(clippy::print_stdout, reason = "an example prints")]

use sealgate_client::{Demands, Kind, SealedClient, Trust};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, ca, token, operator, model, row] = arguments.as_slice() else {
        return Err("six arguments".into());
    };
    let operator = sealgate_keys::Base64::decode(operator).ok_or("the key is not base64")?;
    let trust = Trust {
        accept: vec![Kind::Software],
        software_keys: vec![operator.0.as_slice().try_into()?],
        evidence_age_max_s: 300,
        ..Trust::default()
    };
    let client = SealedClient::new(url, &std::fs::read(ca)?, token, Demands::new(trust))?;
    let answer = client.infer_v2(model, std::fs::read(row)?, Some(1)).await?;
    println!("{}", String::from_utf8_lossy(&answer.body));
    Ok(())
}
