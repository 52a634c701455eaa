//! A target under libFuzzer, whose `main` this is: `FUZZ` names it. See `run`.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::begin(), |input: &[u8]| fuzz::feed(input));
