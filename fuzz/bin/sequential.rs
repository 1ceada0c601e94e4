//! See `sealgate_fuzz_targets::sequential`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sealgate_fuzz_targets::sequential(input));
