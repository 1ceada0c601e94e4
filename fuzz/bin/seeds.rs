//! Writes the seeds of each target, the vendors' samples of evidence among them, into a folder for
//! each in the one that is named. It is run in `fuzz/`.

// The flags of this workspace want libFuzzer in whatever they build.
use libfuzzer_sys as _;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealgate_fuzz_targets::{TARGETS, seeds};
use sealgate_keys::Base64;
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let work = std::env::args_os().nth(1).ok_or("name a folder")?;
    for (target, _) in TARGETS {
        let folder = Path::new(&work).join(target);
        fs::create_dir_all(&folder)?;
        let mut inputs = seeds(target);
        if target == "evidence" {
            inputs.extend(Samples::find()?.packed()?);
        }
        for (number, input) in inputs.iter().enumerate() {
            fs::write(folder.join(format!("seed{number:02}")), input)?;
        }
    }
    Ok(())
}

/// Where the locked packages lie that ship vendors' samples.
struct Samples(Value);

impl Samples {
    fn find() -> Result<Self, Box<dyn Error>> {
        let metadata = Command::new("cargo")
            .args(["metadata", "--format-version=1", "--locked", "--manifest-path=../Cargo.toml"])
            .output()?;
        Ok(Self(serde_json::from_slice(&metadata.stdout)?))
    }

    fn packed(&self) -> Result<[Vec<u8>; 3], Box<dyn Error>> {
        let report = String::from_utf8(self.read("sev", "report_milan.hex")?)?;
        let report = hex::decode(report.trim())?;
        let vcek = self.read("sev", "vcek_milan.der")?;
        let chain = String::from_utf8(self.read("sev", "cert_chain_milan")?)?;
        let mut snp = vec![1];
        [report, vcek].into_iter().chain(certificates(&chain)).for_each(|p| part(&mut snp, &p));

        let mut tdx = vec![2];
        part(&mut tdx, &self.read("dcap-qvl", "tdx_quote")?);
        // The quote's collateral, without its white space.
        let collateral = self.read("dcap-qvl", "tdx_quote_collateral.json")?;
        let collateral: Value = serde_json::from_slice(&collateral)?;
        tdx.extend(serde_json::to_vec(&collateral)?);

        let mut nitro = vec![3];
        part(&mut nitro, &self.read("nitro_attest", "attestation.cose")?);
        Ok([snp, tdx, nitro])
    }

    fn read(&self, package: &str, file: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        let folder = match package {
            "sev" => "tests/certs_data",
            "dcap-qvl" => "sample",
            _ => "tests/fixtures",
        };
        let packages = self.0["packages"].as_array().into_iter().flatten();
        let manifest = packages
            .filter(|found| found["name"] == package)
            .find_map(|found| found["manifest_path"].as_str())
            .ok_or(format!("`{package}` is not locked"))?;
        Ok(fs::read(PathBuf::from(manifest).with_file_name(folder).join(file))?)
    }
}

/// The bytes of each certificate in a PEM file (RFC 7468).
fn certificates(pem: &str) -> impl Iterator<Item = Vec<u8>> {
    pem.split("-----BEGIN CERTIFICATE-----").skip(1).filter_map(|rest| {
        let (body, _) = rest.split_once("-----END")?;
        Base64::decode(&body.split_whitespace().collect::<String>()).map(|bytes| bytes.0)
    })
}

fn part(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(bytes);
}
