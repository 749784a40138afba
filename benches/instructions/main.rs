//! The hot functions of a request, each called again and again for callgrind to count.
//!
//! `benches/instructions.py` runs this and compares; by itself it only calls. The functions are public
//! for the layers above them, and nothing is for this alone.

mod credentials;
mod request;

use std::io::{self, Write};

use mimalloc::MiMalloc;

/// As in the gateway: allocation is a part of the count.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What cannot be made ready ends the run.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result {
    request::cases()?;
    credentials::cases()
}

/// Counts `run` under `name`, called so many times. A call before warms what is made once.
fn case(name: &str, times: u32, run: &mut dyn FnMut()) -> Result {
    run();
    writeln!(io::stdout(), "case {times} {name}")?;
    counted(times, run);
    Ok(())
}

/// Callgrind counts what runs in here, and nothing else: `instructions.py` tells it the name.
#[inline(never)]
fn counted(times: u32, run: &mut dyn FnMut()) {
    for _ in 0..times {
        run();
    }
}
