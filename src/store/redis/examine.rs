//! x
/// s
#[derive(Debug)]
pub enum Severity {}
/// f
#[derive(Debug)]
pub struct Finding;
